"""Values of services and enrichers that no database, teacher or terminal is prepared for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.quarantine import list_quarantine
from db.records.dataset import Dataset, find_dataset
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.learning.training import train_model
from enrich.learning.training_table import read_labelled
from tests import bad_server as behaviour
from tests.bad_server import BadServer, bad_server
from tests.conftest import register
from tests.inline import enrich_now

RECORDS = 60


@pytest.fixture
def server() -> Iterator[BadServer]:
    """Yield a server for one test."""
    with bad_server() as running:
        yield running


def answers_with(odd: Mapping[int, str], normal: Sequence[Any]) -> behaviour.Behaviour:
    """Answer with normal values in turn, and with odd JSON for some records."""

    def behave(handler: behaviour.Handler) -> None:
        asked = int(handler.call.path.rpartition("%20")[2])
        score = odd.get(asked) or json.dumps(normal[asked % 2])
        behaviour.sends(f'{{"score": {score}}}'.encode())(handler)

    return behave


def make_notes(store: Store, url: str) -> Dataset:
    """Return a dataset of labelled records that ask a service for a score."""
    config = {"url": f"{url}?text={{sentence}}", "tries": 1, "answer": "score"}
    spec = DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField()},
        enrichers={"score": EnricherSpec(use="http", reads=("sentence",), config=config)},
    )
    dataset = register(store, spec)
    rows = []
    for number in range(RECORDS):
        inputs = spec.read_inputs({"sentence": f"note {number}"})
        rows.append(NewRow(spec.key(inputs), inputs, ["low", "high"][number % 2]))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return dataset


def scores(store: Store, dataset: Dataset) -> dict[int, Any]:
    """Return the scores by the number of the record."""
    return {
        int(row["inputs"]["sentence"].split()[1]): row["enrichments"]["score"]
        for row in export_rows(store, dataset)
        if "score" in row["enrichments"]
    }


def reasons(store: Store) -> list[str]:
    """Return the reasons of all quarantined records."""
    with store.reading() as connection:
        return [one.reason for one in list_quarantine(connection)]


ODD = {
    0: "1e300",
    7: "-1e300",
    8: '"n/a"',
    9: "true",
    10: "[1, 2]",
    11: '{"a\\u0000b": "c\\u001b[31m\\u009b\\n"}',
    12: "9" * 300,
    13: "18446744073709551616",
}
STORED = {
    0: 1e300,
    7: -1e300,
    8: "n/a",
    9: True,
    10: [1, 2],
    11: {"a\ufffdb": "c\ufffd[31m\ufffd\n"},
    12: int("9" * 300),
    13: 2**64,
}


def test_odd_values_among_numbers_stop_no_training_and_no_prediction(
    store: Store, settings: Settings, server: BadServer
) -> None:
    """They are kept without control characters, and are missing for the teacher."""
    dataset = make_notes(store, server.on("/score", answers_with(ODD, (0.5, 1.5))))
    enrich_now(store, settings)
    found = scores(store, dataset)
    assert {number: found.get(number) for number in STORED} == STORED
    assert (len(found), reasons(store)) == (RECORDS, [])
    with store.reading() as connection:
        frame = read_labelled(connection, dataset, fingerprints(store))
    assert frame.columns["score"] == "number"
    trained = train_model(store, "notes", settings)
    assert "score" in trained.metrics["covering"]
    enrich_now(store, settings)
    predicted = [row["prediction"] for row in export_rows(store, dataset)]
    assert len(predicted) == RECORDS
    assert all(predicted)


def test_words_among_which_is_a_number_are_choices(
    store: Store, settings: Settings, server: BadServer
) -> None:
    """The number is one more choice, also where it comes first."""
    dataset = make_notes(store, server.on("/score", answers_with({0: "5"}, ("low", "high"))))
    enrich_now(store, settings)
    with store.reading() as connection:
        frame = read_labelled(connection, dataset, fingerprints(store))
    assert frame.columns["score"] == "choice"
    assert set(frame.table["score"]) == {"5", "low", "high"}
    assert reasons(store) == []


def fingerprints(store: Store) -> dict[str, str]:
    """Return the fingerprints of the enrichers."""
    with store.reading() as connection:
        plan = find_dataset(connection, "notes").plan
    return {step.name: step.fingerprint for step in plan}
