"""Neighbours over HTTP: explanations list, and pages link, the labelled records most similar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.record import forget_record
from enrich.dataset_analysis import analyse_dataset
from tests.conftest import make_store, register, settings_for
from tests.hand_made_student import TONES, serve_student, tones
from tests.inline import enrich_now
from tests.store.vector_enrichers import enrichers

from .conftest import Site, query, serving

SPEC = msgspec.structs.replace(TONES, enrichers=enrichers(), id="card")
ROWS = {
    "0": "happy",
    "10": "<b>happy</b>",
    "90": "sad",
    "100": "neutral",
    "5": None,
    "80": None,
    "nowhere": None,
}


def key_of(sentence: str) -> bytes:
    """Return the key of the record with this sentence."""
    return SPEC.key(SPEC.read_inputs({"sentence": sentence, "town": "Lyon"}))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Yield a server with records whose neighbours are known; one of these was deleted since."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    store, settings = make_store(url), settings_for(url)
    dataset = register(store, SPEC)
    with store.writing() as connection:
        add_rows(connection, dataset, _rows(dataset), "import")
    enrich_now(store, settings)
    assert analyse_dataset(store, SPEC.name, settings)
    enrich_now(store, settings)
    with store.writing() as connection:
        forget_record(connection, dataset.id, key_of("100"))
    serve_student(store, SPEC, tones())
    store.close()
    with serving(url, tmp_path / "log.txt") as found:
        yield found


def _rows(dataset: Dataset) -> list[NewRow]:
    rows = []
    for sentence, label in ROWS.items():
        inputs = dataset.spec.read_inputs({"sentence": sentence, "town": "Lyon"})
        rows.append(NewRow(dataset.spec.key(inputs), inputs, label, f"card {sentence}"))
    return rows


def neighbours_on_page(site: Site, sentence: str) -> list[tuple[str, str, str]]:
    """Return the address, label and similarity of each neighbour on the page of a record."""
    target = f"/records/tones/{key_of(sentence).hex()}"
    page = site.get(target, Accept="text/html").body.decode()
    row = r'<td><a href="(/records/[^"]*)">(.*?)</a></td><td class="n">(.*?)</td>'
    return re.findall(row, page)


def test_the_page_of_a_record_links_its_neighbours(site: Site) -> None:
    """With label and similarity. One without a vector has none, and a deleted one is left out."""
    first, second = (f"/records/tones/{key_of(one).hex()}" for one in ("10", "90"))
    assert neighbours_on_page(site, "0") == [
        (first, "&lt;b&gt;happy&lt;/b&gt;", "0.98"),
        (second, "sad", "0.00"),
    ]
    assert site.get(first, Accept="text/html").status == 200
    assert len(neighbours_on_page(site, "80")) == 1
    assert neighbours_on_page(site, "nowhere") == []


def explain(site: Site, **inputs: object) -> Any:  # noqa: ANN401
    """Return the explanation of a sentence or of a card."""
    town = {"town": "Lyon"} if "sentence" in inputs else {}
    reply = site.get(f"/explain/tones?{query(**inputs, **town)}")
    assert reply.status == 200, reply.body
    return reply.json()


def test_an_explanation_lists_the_neighbours_of_a_stored_record(site: Site) -> None:
    """With keys, labels and similarities. A deleted one is left out."""
    assert explain(site, sentence="0")["neighbours"] == [
        {"key": key_of("10").hex(), "label": "<b>happy</b>", "similarity": 0.9848},
        {"key": key_of("90").hex(), "label": "sad", "similarity": 0.0},
    ]
    assert [one["label"] for one in explain(site, sentence="80")["neighbours"]] == ["sad"]
    assert explain(site, card="card 80") == explain(site, sentence="80")


def test_an_explanation_of_other_inputs_has_no_neighbours(site: Site) -> None:
    """A record without a vector has none either, and answers to POST have none."""
    assert "neighbours" not in explain(site, sentence="7")
    assert "neighbours" not in explain(site, sentence="nowhere")
    [answer] = site.post("/predict/tones?explain=true", [{"sentence": "0", "town": "Lyon"}]).json()
    assert "neighbours" not in answer["explanation"]


def test_openapi_describes_neighbours(site: Site) -> None:
    """They are optional."""
    document = site.get("/openapi.json").json()
    schema = document["components"]["schemas"]["Explanation"]
    explanation = explain(site, sentence="0")
    assert set(schema["required"]) <= set(explanation) <= set(schema["properties"])
    assert "neighbours" not in schema["required"]
    item = schema["properties"]["neighbours"]["items"]
    assert all(set(one) == set(item["required"]) for one in explanation["neighbours"])
