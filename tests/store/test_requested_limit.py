"""The bound on waiting inputs holds for all web processes together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial

import pytest

from db.records.dataset import Dataset
from db.store.store import Store
from db.traffic import requested_inputs
from db.traffic.requested_inputs import count_waiting, pack_requested
from serve.prediction.request_recorder import RequestRecorder
from tests.conftest import make_store, register, sample_spec
from tests.direct import direct_store
from tests.processes import wait_for

LIMIT, PROCESSES = 50, 3


@pytest.fixture
def intents(store: Store) -> Dataset:
    """Return a dataset without records."""
    return register(store, sample_spec("intents"))


@pytest.fixture
def recorders(store: Store, intents: Dataset) -> Iterator[list[RequestRecorder]]:
    """Yield the recorders of several processes, each of which has counted how many wait."""
    with ExitStack() as stack:
        running = [RequestRecorder(direct_store(store), 1000, LIMIT) for _ in range(PROCESSES)]
        for number, recorder in enumerate(running):
            recorder.start()
            stack.enter_context(closing(recorder))
            put(recorder, intents, number, 1)
            wait_for(partial(waits, store, intents, number + 1), lambda: "it was not written")
        yield running


def waits(store: Store, dataset: Dataset, count: int) -> bool:
    """Return whether so many inputs wait in the store."""
    with store.reading() as connection:
        return count_waiting(connection, dataset.id, 10 * LIMIT) == count


def put(recorder: RequestRecorder, dataset: Dataset, first: int, count: int) -> None:
    """Queue inputs that nobody has asked for before."""
    for number in range(first, first + count):
        inputs = dataset.spec.read_inputs({"sentence": f"phrase {number}"})
        recorder.put(dataset.id, pack_requested(dataset.spec.key(inputs), inputs))


def test_all_processes_together_keep_the_bound_on_waiting_inputs(
    store: Store, intents: Dataset, recorders: list[RequestRecorder]
) -> None:
    """Each had counted a moment before how many more there may be."""
    for number, recorder in enumerate(recorders, 1):
        put(recorder, intents, 1000 * number, LIMIT)
    for recorder in recorders:
        recorder.close()
    assert waits(store, intents, LIMIT)
    queued = PROCESSES * (LIMIT + 1)
    assert sum(recorder.dropped for recorder in recorders) == queued - LIMIT


def test_what_waits_is_counted_by_its_index(sqlite_url: str) -> None:
    """It is counted for each batch, and may not take longer because of records that are done."""
    store = make_store(sqlite_url)
    with direct_store(store).reading() as connection:
        sql = requested_inputs._count_waiting.for_driver(connection)
        plan = str(connection.rows(f"EXPLAIN QUERY PLAN {sql}", (1, LIMIT)))
    assert "record_waiting (dataset_id=? AND asked=? AND revision=?" in plan
    store.close()
