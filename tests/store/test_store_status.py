"""Tests of `db status`: small datasets are counted, large ones are estimated and said to be so."""

from __future__ import annotations

import io
import math

import pytest

from db.admin import sampled_counts
from db.admin.store_status import store_status
from db.cli.terminal.status_table import format_store_status
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.prediction import Prediction, write_predictions
from db.store.store import Store
from tests.conftest import ask, notes_spec, register

COUNTS = ("records", "asked", "observations", "labelled", "predictions")


def fill(store: Store, rows: int) -> None:
    """Add records with two rows each, one of them labelled, half of the records predicted."""
    dataset = register(store, notes_spec({}))
    inputs = [dataset.spec.read_inputs({"sentence": f"note {number}"}) for number in range(rows)]
    keys = [dataset.spec.key(one) for one in inputs]
    new = [
        NewRow(key, one, label)
        for key, one in zip(keys, inputs, strict=True)
        for label in ("warm", None)
    ]
    asked = [dataset.spec.read_inputs({"sentence": f"asked {number}"}) for number in range(rows)]
    with store.writing() as connection:
        add_rows(connection, dataset, new, "import")
        predicted = [Prediction(key, b"{}", "f", "warm", 1.0) for key in keys]
        write_predictions(connection, dataset.id, predicted)
        ask(connection, dataset.id, [NewRow(dataset.spec.key(one), one) for one in asked])


def shown(store: Store) -> list[str]:
    """Return the lines of `db status`."""
    return list(format_store_status(store_status(store), io.StringIO()))


def test_a_small_dataset_is_counted(store: Store) -> None:
    """No number is said to be estimated."""
    fill(store, 20)
    (status,) = store_status(store)["datasets"]
    assert [status[name] for name in COUNTS] == [40, 20, 40, 20, 20]
    assert status["sampled_share"] == 1
    assert "~" not in "".join(shown(store))


def test_a_large_dataset_is_estimated_from_a_sample_of_its_records(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimates are within four standard errors, and the status says that they are some."""
    fill(store, 1000)
    monkeypatch.setattr(sampled_counts, "MOST_COUNTED", 500)
    monkeypatch.setattr(sampled_counts, "FEWEST_SAMPLED", 300)
    (status,) = store_status(store)["datasets"]
    share = status["sampled_share"]
    assert 0.1 < share < 0.5
    assert set(status["estimated"]) == {*COUNTS, "enriched"}
    for name, exact in zip(COUNTS, (2000, 1000, 2000, 1000, 1000), strict=True):
        # Two rows of a record are in the sample together.
        assert abs(status[name] - exact) < 4 * 2 * math.sqrt(exact / share)
    lines = shown(store)
    assert lines[3].split()[1].startswith("~")
    assert f"~ is estimated from one record in {1 / share:,.0f}" in lines[-1]


def test_few_labels_and_few_requests_of_a_large_dataset_are_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sample would miss most of them."""
    fill(store, 300)
    monkeypatch.setattr(sampled_counts, "MOST_COUNTED", 400)
    monkeypatch.setattr(sampled_counts, "FEWEST_SAMPLED", 100)
    (status,) = store_status(store)["datasets"]
    assert (status["labelled"], status["asked"]) == (300, 300)
    assert not {"labelled", "asked"} & set(status["estimated"])
    dataset, _, rows, labelled, requested, *_ = shown(store)[3].split()
    assert (dataset, rows[0], labelled, requested) == ("notes", "~", "300", "300")
