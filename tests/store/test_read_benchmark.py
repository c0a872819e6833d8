"""Tests of the read benchmark: `python -m db bench`."""

from __future__ import annotations

import pytest

from db.admin.read_benchmark import measure_reads
from db.errors import VeilleuseError
from db.records.prediction import Prediction, write_predictions
from db.store.engine import Store
from tests.conftest import notes_spec, register

SECONDS = 0.1


def test_it_reads_predictions_of_all_over_the_index(store: Store) -> None:
    """And says how many in how long."""
    found = register(store, notes_spec({}))
    made = [Prediction(number.to_bytes(16, "big"), b"{}", "f", "", 0.0) for number in range(1, 50)]
    with store.writing() as connection:
        write_predictions(connection, found.id, made)
    result = measure_reads(store, "notes", SECONDS)
    assert result.reads > 0
    assert result.seconds >= SECONDS
    assert 0 < result.p50_microseconds <= result.p99_microseconds


def test_without_predictions_it_says_how_to_make_some(store: Store) -> None:
    """Else it would measure finding nothing, which is quicker."""
    register(store, notes_spec({}))
    with pytest.raises(
        VeilleuseError, match="no predictions yet; run: python -m enrich once notes"
    ):
        measure_reads(store, "notes", SECONDS)
