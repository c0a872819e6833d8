"""Tests of the read benchmark: `python -m db bench`."""

from __future__ import annotations

import pytest

from db.admin.read_benchmark import measure_reads
from db.errors import VeilleuseError
from db.records.prediction import Prediction, write_predictions
from db.store.store import Store
from tests.conftest import notes_spec, register

SECONDS = 0.1


def test_the_benchmark_reads_predictions_from_the_whole_index(store: Store) -> None:
    """The result holds the number of reads, their duration and the percentiles."""
    found = register(store, notes_spec({}))
    predictions = [
        Prediction(number.to_bytes(16, "big"), b"{}", "f", "", 0.0) for number in range(1, 50)
    ]
    with store.writing() as connection:
        write_predictions(connection, found.id, predictions)
    result = measure_reads(store, "notes", SECONDS)
    assert result.reads > 0
    assert result.seconds >= SECONDS
    assert 0 < result.p50_microseconds <= result.p99_microseconds


def test_without_predictions_the_benchmark_says_how_to_compute_them(store: Store) -> None:
    """Otherwise it would measure reads that find nothing, which are faster."""
    register(store, notes_spec({}))
    with pytest.raises(
        VeilleuseError, match="no predictions yet; run: python -m enrich once notes"
    ):
        measure_reads(store, "notes", SECONDS)
