"""Tests of the request recorder while the store refuses inputs, or is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest
from sqlalchemy import select

from db.records.dataset import Dataset
from db.store import tables
from db.store.direct.connection import DirectConnection
from db.store.direct.direct_store import DirectStore
from db.store.direct.errors import DriverError
from db.store.store import Store
from db.traffic.requested_inputs import RequestedInput
from serve.prediction import request_recorder
from serve.prediction.request_recorder import RequestRecorder
from tests.conftest import notes_spec, register
from tests.direct import direct_store
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
    recorder = RequestRecorder(direct_store(store), 10, 1000)
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


@pytest.fixture
def many(store: Store) -> list[Dataset]:
    """Return datasets without records."""
    names = [f"notes-{number}" for number in range(5)]
    return [register(store, msgspec.structs.replace(notes_spec({}), name=name)) for name in names]


def write_batch(store: Store, batch: list[tuple[int, RequestedInput]]) -> RequestRecorder:
    """Write a batch of inputs of several datasets, of each of which two may wait."""
    recorder = RequestRecorder(direct_store(store), 100, 2)
    for dataset_id, asked in batch:
        assert recorder.put(dataset_id, asked)
    recorder._gather()
    assert recorder._write(recorder._batch) == []
    return recorder


def test_inputs_of_many_datasets_are_written_by_one_transaction(
    store: Store, many: list[Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction for each would take most of the time; the limit of each dataset holds."""
    transactions = []
    write = DirectStore.write

    def count(own: DirectStore, work: Callable[[DirectConnection], object]) -> object:
        transactions.append(work)
        return write(own, work)

    monkeypatch.setattr(DirectStore, "write", count)
    batch = [(dataset.id, good(number)) for number in range(3) for dataset in many]
    recorder = write_batch(store, batch[:-1])
    assert (len(transactions), len(keys(store)), recorder.dropped) == (1, 10, 4)
    assert not recorder.put(many[0].id, good(4)), "two of its inputs wait"


def test_an_input_that_is_refused_leaves_those_of_other_datasets_alone(
    store: Store, many: list[Dataset]
) -> None:
    """The transaction of all of them fails, and then each dataset gets its own."""
    batch = [(dataset.id, good(number)) for number in range(2) for dataset in many]
    recorder = write_batch(store, [*batch[:-1], (many[-1].id, UNREADABLE)])
    assert (len(keys(store)), recorder.refused) == (9, 1)


def test_the_batch_that_is_being_written_counts_as_waiting(
    store: Store, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the metric would be 0 while a batch is stuck, and more than the bound wait."""

    def is_down(*_arguments: object, **_more: object) -> int:
        raise DriverError(Exception())

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
