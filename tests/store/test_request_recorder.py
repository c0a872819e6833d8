"""Tests of the request recorder while the store refuses inputs, or is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from db.records.dataset import Dataset
from db.store import tables
from db.store.store import Store
from db.traffic.requested_inputs import RequestedInput
from serve.prediction import request_recorder
from serve.prediction.request_recorder import RequestRecorder
from tests.conftest import notes_spec, register
from tests.processes import wait_for

UNREADABLE = RequestedInput(b"u" * 16, b"\xff")


def good(number: int) -> RequestedInput:
    """Return inputs that the store accepts."""
    return RequestedInput(bytes([number]) * 16, b'{"sentence":"merci %d"}' % number)


@pytest.fixture
def dataset(store: Store) -> Dataset:
    """Return a dataset without records."""
    return register(store, notes_spec({}))


@contextmanager
def recording(store: Store) -> Iterator[RequestRecorder]:
    """Yield a recorder with room for ten inputs, which is closed at the end."""
    recorder = RequestRecorder(store, 10, 1000)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close()


def keys(store: Store) -> list[bytes]:
    """Return the keys of all records."""
    with store.reading() as connection:
        query = select(tables.record.c.key).order_by(tables.record.c.key)
        return [bytes(key) for key in connection.execute(query).scalars()]


def test_an_input_that_the_store_refuses_is_left_out_alone(store: Store, dataset: Dataset) -> None:
    """Those beside it and after it are written, and it is counted."""
    with recording(store) as recorder:
        for asked in (good(1), UNREADABLE, good(2)):
            assert recorder.put(dataset.id, asked)
        wait_for(lambda: len(keys(store)) == 2, seconds=30)
        assert recorder.put(dataset.id, good(3))
        wait_for(lambda: len(keys(store)) == 3, seconds=30)
        assert (recorder.refused, recorder.dropped, recorder.has_died) == (1, 0, False)
    assert keys(store) == [good(1).key, good(2).key, good(3).key]


def test_inputs_of_a_dropped_dataset_do_not_hold_up_others(store: Store, dataset: Dataset) -> None:
    """A web process may ask for a dataset that has just been dropped."""
    with recording(store) as recorder:
        assert recorder.put(dataset.id + 1, good(1))
        assert recorder.put(dataset.id, good(2))
        wait_for(lambda: keys(store) == [good(2).key], seconds=30)


def test_the_batch_that_is_being_written_counts_as_waiting(
    store: Store, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the metric would be 0 while a batch is stuck, and more than the bound wait."""

    def is_down(*_arguments: object, **_more: object) -> int:
        raise OperationalError("", {}, Exception())

    monkeypatch.setattr(request_recorder, "record_within_limit", is_down)
    monkeypatch.setattr(request_recorder, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(request_recorder, "CLOSE_SECONDS", 0.1)
    with recording(store) as recorder:
        assert recorder.put(dataset.id, good(1))
        wait_for(recorder._queue.empty, seconds=30)
        assert len(recorder) == 1
        queued = [recorder.put(dataset.id, good(number)) for number in range(2, 12)]
        assert queued == [True] * 9 + [False]
        assert recorder.dropped == 1
