"""Tests of chunks: planning, leases and fences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from db.errors import LeaseLost
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.chunk import (
    Chunk,
    claim_chunk,
    fail_chunk,
    finish_chunk,
    records_in_chunk,
    renew_lease,
    return_chunk,
)
from db.queue.planner import CHUNK_RECORDS, plan_chunks
from db.queue.quarantine import (
    EnricherFailure,
    count_quarantined,
    failures_in_chunk,
    list_quarantine,
    retry_quarantine,
)
from db.queue.workers.worker_registry import register_worker, remove_dead_workers
from db.records.dataset import Dataset, PlanStep, set_plan
from db.records.enrichment import Enrichment, count_enrichments
from db.store import tables
from db.store.store import Store
from tests.conftest import ask, register, sample_spec

LEASE = 60.0


@pytest.fixture
def planned(store: Store) -> Dataset:
    """Return a dataset of 1,200 stale records."""
    found = register(store, sample_spec("intents"))
    with store.writing() as connection:
        add_rows(connection, found, list(sentences(found, 1200)), "import")
        return set_plan(connection, found, (PlanStep("language", "f1"),))


def sentences(dataset: Dataset, count: int, word: str = "phrase") -> Iterator[NewRow]:
    """Yield `count` records, each with a different sentence."""
    for number in range(count):
        inputs = dataset.spec.read_inputs({"sentence": f"{word} {number}"})
        yield NewRow(dataset.spec.key(inputs), inputs)


def claim(store: Store, dataset: Dataset, worker_id: int = 1, seconds: float = LEASE) -> Chunk:
    """Plan chunks and claim one, which must exist."""
    with store.writing() as connection:
        plan_chunks(connection, dataset, 1)
        chunk = claim_chunk(connection, {dataset.id: dataset.revision}, worker_id, seconds)
    assert chunk is not None
    return chunk


def expire_lease(store: Store, chunk: Chunk) -> None:
    """Set the end of a chunk's lease into the past."""
    with store.writing() as connection:
        connection.execute(
            update(tables.chunk)
            .where(tables.chunk.c.id == chunk.id)
            .values(lease_until=tables.chunk.c.lease_until - 1e6)
        )


def test_each_stale_record_is_put_into_one_chunk(store: Store, planned: Dataset) -> None:
    """Planning twice does not put a record into two chunks."""
    with store.writing() as connection:
        assert plan_chunks(connection, planned, 1) == 3
        assert plan_chunks(connection, planned, 1) == 0
        sizes = connection.execute(
            select(tables.record.c.chunk_id).where(tables.record.c.chunk_id.isnot(None))
        ).scalars()
        counts = [0, 0, 0]
        for chunk_id in sizes:
            counts[chunk_id - 1] += 1
    assert sorted(counts) == [200, CHUNK_RECORDS, CHUNK_RECORDS]


def test_there_are_never_more_than_four_open_chunks_per_worker(store: Store) -> None:
    """A million stale records must not create two thousand chunks."""
    found = register(store, sample_spec("intents"))
    with store.writing() as connection:
        add_rows(connection, found, list(sentences(found, 3000)), "import")
        found = set_plan(connection, found, (PlanStep("language", "f1"),))
        assert plan_chunks(connection, found, 1) == 4
        assert plan_chunks(connection, found, 1) == 0


def test_requested_inputs_are_claimed_first(store: Store, planned: Dataset) -> None:
    """The same input may be requested again soon."""
    requested = list(sentences(planned, 3, "demande"))
    with store.writing() as connection:
        ask(connection, planned.id, requested)
    chunk = claim(store, planned)
    with store.reading() as connection:
        keys = {record.key for record in records_in_chunk(connection, chunk)}
    assert keys == {row.key for row in requested}


def test_a_leased_chunk_is_not_claimed_again(store: Store, planned: Dataset) -> None:
    """The second worker gets another chunk."""
    first, second = claim(store, planned, 1), claim(store, planned, 2)
    assert first.id != second.id


def test_a_chunk_whose_lease_expired_is_claimed_with_a_higher_fence(
    store: Store, planned: Dataset
) -> None:
    """The fence distinguishes the new lease from the old one."""
    first = claim(store, planned, 1)
    expire_lease(store, first)
    second = claim(store, planned, 2)
    assert (second.id, second.fence) == (first.id, first.fence + 1)


def test_a_renewed_lease_is_kept(store: Store, planned: Dataset) -> None:
    """A slow worker that renews its lease keeps its chunk."""
    first = claim(store, planned, 1)
    expire_lease(store, first)
    with store.writing() as connection:
        renew_lease(connection, first, LEASE)
    assert claim(store, planned, 2).id != first.id


def test_a_worker_that_lost_its_lease_cannot_write(store: Store, planned: Dataset) -> None:
    """The whole transaction of the late worker is rolled back."""
    first = claim(store, planned, 1)
    expire_lease(store, first)
    claim(store, planned, 2)
    with store.reading() as connection:
        records = records_in_chunk(connection, first)
    values = [Enrichment(record.id, "language", "f1", "fr") for record in records]
    with pytest.raises(LeaseLost), store.writing() as connection:
        finish_chunk(connection, first, values, [])
    with store.reading() as connection:
        assert count_enrichments(connection, planned.id) == {}


def test_a_finished_chunk_is_gone_and_its_records_are_fresh(store: Store, planned: Dataset) -> None:
    """One transaction writes the values and deletes the chunk."""
    chunk = claim(store, planned)
    with store.writing() as connection:
        values = [
            Enrichment(record.id, "language", "f1", "fr")
            for record in records_in_chunk(connection, chunk)
        ]
        finish_chunk(connection, chunk, values, [])
    with store.reading() as connection:
        assert count_enrichments(connection, planned.id) == {("language", "f1"): CHUNK_RECORDS}
        waiting = select(tables.record.c.id).where(tables.record.c.revision < planned.revision)
        assert len(connection.execute(waiting).all()) == 700


def test_results_for_a_record_erased_meanwhile_are_dropped(store: Store, planned: Dataset) -> None:
    """The owner of the data may have asked for its deletion."""
    chunk = claim(store, planned)
    with store.reading() as connection:
        records = records_in_chunk(connection, chunk)
    with store.writing() as connection:
        connection.execute(tables.record.delete().where(tables.record.c.id == records[0].id))
    with store.writing() as connection:
        values = [Enrichment(record.id, "language", "f1", "fr") for record in records]
        finish_chunk(connection, chunk, values, [])
        written = count_enrichments(connection, planned.id)
    assert written == {("language", "f1"): CHUNK_RECORDS - 1}


def test_returning_a_chunk_does_not_count_as_an_attempt(store: Store, planned: Dataset) -> None:
    """Stopping a worker is not a failure."""
    chunk = claim(store, planned)
    with store.writing() as connection:
        return_chunk(connection, chunk)
    claimed_again = claim(store, planned)
    assert (claimed_again.id, claimed_again.attempts) == (chunk.id, 1)


def test_a_poison_record_ends_alone_in_quarantine(store: Store, planned: Dataset) -> None:
    """All other records are enriched."""
    with store.reading() as connection:
        poison = connection.execute(select(tables.record.c.id).limit(1)).scalar_one()
    while True:
        with store.writing() as connection:
            plan_chunks(connection, planned, 1)
            chunk = claim_chunk(connection, {planned.id: planned.revision}, 1, LEASE)
        if chunk is None:
            break
        with store.writing() as connection:
            ids = [record.id for record in records_in_chunk(connection, chunk)]
            if poison in ids:
                fail_chunk(connection, chunk, "it bites")
            else:
                values = [Enrichment(record_id, "language", "f1", "fr") for record_id in ids]
                finish_chunk(connection, chunk, values, [])
    with store.reading() as connection:
        rows = connection.execute(
            select(tables.quarantine.c.record_id, tables.quarantine.c.reason)
        ).all()
        assert rows == [(poison, "it bites")]
        assert count_enrichments(connection, planned.id) == {("language", "f1"): 1199}


def test_a_record_keeps_the_failure_of_each_enricher(store: Store, planned: Dataset) -> None:
    """Otherwise the first enricher's call would be paid for again.

    The record is counted once and retried once.
    """
    chunk = claim(store, planned)
    with store.writing() as connection:
        record_id = records_in_chunk(connection, chunk)[0].id
        failures = [
            EnricherFailure(record_id, "weather", "no such town"),
            EnricherFailure(record_id, "price", "no such thing"),
        ]
        return_chunk(connection, chunk, failures=failures[:1])
    chunk = claim(store, planned)
    with store.writing() as connection:
        return_chunk(connection, chunk, failures=failures[1:])
    with store.writing() as connection:
        assert set(failures_in_chunk(connection, chunk.id, chunk.revision)) == set(failures)
        assert count_quarantined(connection, planned.id) == 1
        assert {found.enricher for found in list_quarantine(connection)} == {"weather", "price"}
        assert retry_quarantine(connection, planned.id) == 1
        assert list_quarantine(connection) == []


def test_a_plan_of_another_revision_makes_no_chunks(store: Store, planned: Dataset) -> None:
    """A planner that read the dataset before a change must not plan from the old version."""
    with store.writing() as connection:
        set_plan(connection, planned, (PlanStep("language", "f2"),))
        assert plan_chunks(connection, planned, 1) is None


def test_a_chunk_of_a_worker_known_to_be_dead_is_free_at_once(
    store: Store, planned: Dataset
) -> None:
    """A lease does not have to expire if its owner is known to be dead."""
    with store.writing() as connection:
        living = register_worker(connection)
        dead = register_worker(connection)
        with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
            ended.wait()
        connection.execute(
            update(tables.worker).where(tables.worker.c.id == dead).values(process=f"{ended.pid} 1")
        )
    held, kept = claim(store, planned, dead), claim(store, planned, living)
    with store.writing() as connection:
        assert remove_dead_workers(connection) == 1
    claimed_again = claim(store, planned, living)
    assert claimed_again.id == held.id
    assert claimed_again.fence > held.fence
    assert kept.id != held.id
