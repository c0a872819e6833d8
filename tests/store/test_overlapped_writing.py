"""Results of a chunk are written while the next one is computed, unless that would risk much."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import func, select

import enrich.worker.result_writer
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.planner import CHUNK_RECORDS, plan_chunks
from db.records.dataset import Dataset, find_dataset
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.enrichers.base import Row
from enrich.executors.base import Computed, Stopped
from enrich.executors.recipe import Recipe
from enrich.planning.maintenance import refresh_plan
from enrich.worker.worker import working
from tests.conftest import notes_spec, register
from tests.inline import InlineExecutor

CHUNKS = 3


class CountingExecutor(InlineExecutor):
    """Notes how many values the store has whenever it begins to compute a chunk."""

    def __init__(self, store: Store, patience_seconds: float, last_chunk: int = CHUNKS) -> None:
        super().__init__()
        self._store = store
        self._patience_seconds = patience_seconds
        self._last_chunk = last_chunk
        self.at_first: list[int] = []
        self.later: list[int] = []

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Compute; before the first batch of a chunk, wait for the chunk before it."""
        if self.rows % CHUNK_RECORDS == 0:
            if len(self.at_first) == self._last_chunk:
                raise Stopped
            self.at_first.append(count_values(self._store))
            until = time.monotonic() + self._patience_seconds
            while count_values(self._store) < self.rows and time.monotonic() < until:
                time.sleep(0.01)
            self.later.append(count_values(self._store))
        return super().compute(fingerprint, recipe, rows)


def count_values(store: Store) -> int:
    """Return how many values of enrichers are stored."""
    with store.reading() as connection:
        return connection.execute(select(func.count(tables.enrichment.c.record_id))).scalar_one()


@pytest.fixture
def notes(store: Store) -> Dataset:
    """Return a dataset with three chunks of records."""
    dataset = register(store, notes_spec({"language": EnricherSpec(use="text_profile")}))
    rows = []
    for number in range(CHUNKS * CHUNK_RECORDS):
        inputs = dataset.spec.read_inputs({"sentence": f"merci {number}"})
        rows.append(NewRow(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return dataset


def test_a_chunk_is_written_while_the_next_one_is_computed(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """All are written at the end, also the last one."""
    executor = CountingExecutor(store, patience_seconds=60)
    with working(store, settings, threading.Event(), executor) as worker:
        counts: list[int] = []
        done = worker.enrich([notes.name], progress=counts.append)
    assert executor.later == [0, CHUNK_RECORDS, 2 * CHUNK_RECORDS]
    assert count_values(store) == done == sum(counts) == CHUNKS * CHUNK_RECORDS


def test_a_chunk_that_took_long_is_written_before_the_next_one_is_claimed(
    store: Store, settings: Settings, notes: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the worker were killed, it would have to be computed again."""
    monkeypatch.setattr(enrich.worker.result_writer, "QUICK_SECONDS", 0.0)
    executor = CountingExecutor(store, patience_seconds=0)
    with working(store, settings, threading.Event(), executor) as worker:
        worker.enrich([notes.name])
    assert executor.at_first == [0, CHUNK_RECORDS, 2 * CHUNK_RECORDS]


def test_a_worker_that_is_stopped_writes_what_it_has_computed(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """The chunk that was interrupted is given back, and no lease is left."""
    executor = CountingExecutor(store, patience_seconds=0, last_chunk=2)
    with working(store, settings, threading.Event(), executor) as worker:
        with pytest.raises(Stopped):
            worker.enrich([notes.name])
        with store.reading() as connection:
            leased = select(func.count()).where(tables.chunk.c.owner.isnot(None))
            assert connection.execute(leased).scalar_one() == 0
    assert count_values(store) == 2 * CHUNK_RECORDS


def test_a_worker_whose_gate_closes_writes_what_it_has_computed(
    store: Store, settings: Settings, notes: Dataset
) -> None:
    """It does not keep the results until the gate is open again."""
    executor = CountingExecutor(store, patience_seconds=0)
    with working(store, settings, threading.Event(), executor) as worker:
        done = worker.enrich([notes.name], may_work=lambda: executor.rows < CHUNK_RECORDS)
    assert count_values(store) == done == CHUNK_RECORDS


@pytest.mark.parametrize("tried", range(CHUNKS))
def test_a_chunk_that_was_tried_before_is_never_computed_beside_unwritten_results(
    store: Store, settings: Settings, notes: Dataset, tried: int
) -> None:
    """It may kill the worker, and the death would count as a try of a harmless chunk as well.

    Nor is it kept itself, since the next one may kill the worker.
    """
    with store.writing() as connection:
        refresh_plan(connection, notes, settings)
        plan_chunks(connection, find_dataset(connection, notes.name), workers=1)
        ids = list(connection.execute(select(tables.chunk.c.id).order_by(tables.chunk.c.id)))
        chunk = tables.chunk.c.id == ids[tried].id
        connection.execute(tables.chunk.update().where(chunk).values(attempts=1))
    executor = CountingExecutor(store, patience_seconds=0)
    with working(store, settings, threading.Event(), executor) as worker:
        worker.enrich([notes.name])
    order = executor.at_first
    assert order[tried] == tried * CHUNK_RECORDS
    if tried + 1 < CHUNKS:
        assert order[tried + 1] == (tried + 1) * CHUNK_RECORDS
    assert count_values(store) == CHUNKS * CHUNK_RECORDS
