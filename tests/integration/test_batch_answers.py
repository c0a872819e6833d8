"""All rows of the samples have the same answers in one request as in many."""

from __future__ import annotations

import csv
import io
from itertools import islice
from typing import Any

import msgspec
import pytest

from serve.api.batches.csv_body import answer_csv
from serve.api.batches.json_body import answer_array
from serve.api.query import MOST_ITEMS, read_items
from serve.prediction.service import PredictionService
from tests.conftest import ROOT, settings_for
from tests.direct import direct_store

from .conftest import Site

ODD: dict[str, list[dict[str, Any]]] = {
    "intents": [
        {"sentence": sentence}
        for sentence in (
            "?",
            "É" * 900,
            "🙂 où ?",
            "a b c d e f",
            "ΑΣ ας",
            "e\u0301 24 € …",
            "x  y",
        )
    ],
    "customers": [
        {"age": 0, "education": "PhD", "income": 0},
        {"age": "130", "education": "no such", "income": "9e99"},
        {"age": 42, "education": " Master ", "income": 41500.0},
        {"age": 42.0, "education": "e\u0301cole", "income": 41500.5},
    ],
}


@pytest.fixture
def service(site: Site) -> PredictionService:
    """Return a prediction service on the trained store of the samples."""
    return PredictionService(direct_store(site.store), settings_for(site.url))


def sample_rows(name: str, fields: list[str]) -> list[dict[str, Any]]:
    """Return the inputs of a sample's rows."""
    with (ROOT / "datasets" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = [{field: row[field] for field in fields} for row in csv.DictReader(file)]
    return list(islice(rows, MOST_ITEMS - len(ODD[name])))


@pytest.mark.parametrize("name", ["intents", "customers"])
def test_the_rows_of_a_sample_have_the_same_answers_in_one_request(
    service: PredictionService, name: str
) -> None:
    """To the last byte, as an array and as a table."""
    served = service.catalog.find(name)
    rows = [*sample_rows(name, list(served.spec.fields)), *ODD[name]]
    alone = [service.predict(served, row, client="here").body for row in rows]
    items = read_items(msgspec.json.encode(rows))
    assert answer_array(items, service, served, "here", "an-id") == b"[%b]" % b",".join(alone)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(served.spec.fields))
    writer.writeheader()
    writer.writerows(rows)
    body = table.getvalue().encode()
    assert answer_csv(body, service, served, "here", as_json=True) == b"[%b]" % b",".join(alone)
