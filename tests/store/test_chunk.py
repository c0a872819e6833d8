"""Planning, leases and fences."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update

from db.errors import LeaseLost
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
from db.queue.worker import register_worker, remove_dead_workers
from db.records.dataset import Dataset, PlanStep, set_plan
from db.records.enrichment import Enrichment, count_enrichments
from db.records.record import NewRecord, add_records
from db.store import tables
from db.store.engine import Store
from tests.conftest import ask, register, sample_spec

LEASE = 60.0


@pytest.fixture
def planned(store: Store) -> Dataset:
    """Give a dataset of 1,200 stale records."""
    found = register(store, sample_spec("intents"))
    with store.writing() as connection:
        add_records(connection, found.id, list(sentences(found, 1200)), "import")
        return set_plan(connection, found, (PlanStep("language", "f1"),))


def sentences(dataset: Dataset, count: int, word: str = "phrase") -> Iterator[NewRecord]:
    """Yield so many records."""
    for number in range(count):
        inputs = dataset.spec.read_inputs({"sentence": f"{word} {number}"})
        yield NewRecord(dataset.spec.key(inputs), inputs)


def claim(store: Store, dataset: Dataset, worker_id: int = 1, seconds: float = LEASE) -> Chunk:
    """Plan and claim; there must be a chunk."""
    with store.writing() as connection:
        plan_chunks(connection, dataset, 1)
        taken = claim_chunk(connection, {dataset.id: dataset.revision}, worker_id, seconds)
    assert taken is not None
    return taken


def let_lease_run_out(store: Store, taken: Chunk) -> None:
    """Make a lease end in the past."""
    with store.writing() as connection:
        connection.execute(
            update(tables.chunk)
            .where(tables.chunk.c.id == taken.id)
            .values(lease_until=tables.chunk.c.lease_until - 1e6)
        )


def test_stale_records_are_put_into_chunks_each_once(store: Store, planned: Dataset) -> None:
    """Two plans in a row share no record."""
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


def test_there_are_never_more_than_four_open_chunks_a_worker(store: Store) -> None:
    """A million stale records must not make two thousand chunks."""
    found = register(store, sample_spec("intents"))
    with store.writing() as connection:
        add_records(connection, found.id, list(sentences(found, 3000)), "import")
        found = set_plan(connection, found, (PlanStep("language", "f1"),))
        assert plan_chunks(connection, found, 1) == 4
        assert plan_chunks(connection, found, 1) == 0


def test_what_people_asked_for_is_claimed_first(store: Store, planned: Dataset) -> None:
    """They may ask again soon."""
    asked = list(sentences(planned, 3, "demande"))
    with store.writing() as connection:
        ask(connection, planned.id, asked)
    taken = claim(store, planned)
    with store.reading() as connection:
        keys = {one.key for one in records_in_chunk(connection, taken)}
    assert keys == {row.key for row in asked}


def test_a_leased_chunk_is_not_claimed_again(store: Store, planned: Dataset) -> None:
    """Each worker has its own."""
    first, second = claim(store, planned, 1), claim(store, planned, 2)
    assert first.id != second.id


def test_a_lease_that_ran_out_is_claimed_with_a_higher_fence(
    store: Store, planned: Dataset
) -> None:
    """The fence tells the two leases apart."""
    first = claim(store, planned, 1)
    let_lease_run_out(store, first)
    second = claim(store, planned, 2)
    assert (second.id, second.fence) == (first.id, first.fence + 1)


def test_a_renewed_lease_is_kept(store: Store, planned: Dataset) -> None:
    """Slow work does not lose its chunk."""
    first = claim(store, planned, 1)
    let_lease_run_out(store, first)
    with store.writing() as connection:
        renew_lease(connection, first, LEASE)
    assert claim(store, planned, 2).id != first.id


def test_a_lost_lease_cannot_write(store: Store, planned: Dataset) -> None:
    """Whoever wakes up late finds everything rolled back."""
    first = claim(store, planned, 1)
    let_lease_run_out(store, first)
    claim(store, planned, 2)
    with store.reading() as connection:
        late = records_in_chunk(connection, first)
    made = [Enrichment(one.id, "language", "f1", "fr") for one in late]
    with pytest.raises(LeaseLost), store.writing() as connection:
        finish_chunk(connection, first, made, [])
    with store.reading() as connection:
        assert count_enrichments(connection, planned.id) == {}


def test_a_finished_chunk_is_gone_and_its_records_are_fresh(store: Store, planned: Dataset) -> None:
    """In one transaction."""
    taken = claim(store, planned)
    with store.writing() as connection:
        made = [
            Enrichment(one.id, "language", "f1", "fr")
            for one in records_in_chunk(connection, taken)
        ]
        finish_chunk(connection, taken, made, [])
    with store.reading() as connection:
        assert count_enrichments(connection, planned.id) == {("language", "f1"): CHUNK_RECORDS}
        waiting = select(tables.record.c.id).where(tables.record.c.revision < planned.revision)
        assert len(connection.execute(waiting).all()) == 700


def test_results_for_a_record_erased_meanwhile_are_dropped(store: Store, planned: Dataset) -> None:
    """Its owner asked for that."""
    taken = claim(store, planned)
    with store.reading() as connection:
        records = records_in_chunk(connection, taken)
    with store.writing() as connection:
        connection.execute(tables.record.delete().where(tables.record.c.id == records[0].id))
    with store.writing() as connection:
        made = [Enrichment(one.id, "language", "f1", "fr") for one in records]
        finish_chunk(connection, taken, made, [])
        written = count_enrichments(connection, planned.id)
    assert written == {("language", "f1"): CHUNK_RECORDS - 1}


def test_a_returned_chunk_does_not_count_as_tried(store: Store, planned: Dataset) -> None:
    """A worker that is stopped has not failed."""
    taken = claim(store, planned)
    with store.writing() as connection:
        return_chunk(connection, taken)
    run_once = claim(store, planned)
    assert (run_once.id, run_once.attempts) == (taken.id, 1)


def test_a_poison_record_ends_alone_in_quarantine(store: Store, planned: Dataset) -> None:
    """All its neighbours are done."""
    with store.reading() as connection:
        poison = connection.execute(select(tables.record.c.id).limit(1)).scalar_one()
    while True:
        with store.writing() as connection:
            plan_chunks(connection, planned, 1)
            taken = claim_chunk(connection, {planned.id: planned.revision}, 1, LEASE)
        if taken is None:
            break
        with store.writing() as connection:
            ids = [one.id for one in records_in_chunk(connection, taken)]
            if poison in ids:
                fail_chunk(connection, taken, "it bites")
            else:
                made = [Enrichment(one, "language", "f1", "fr") for one in ids]
                finish_chunk(connection, taken, made, [])
    with store.reading() as connection:
        rows = connection.execute(
            select(tables.quarantine.c.record_id, tables.quarantine.c.reason)
        ).all()
        assert rows == [(poison, "it bites")]
        assert count_enrichments(connection, planned.id) == {("language", "f1"): 1199}


def test_a_record_keeps_what_each_enricher_refused_of_it(store: Store, planned: Dataset) -> None:
    """Else the first one's call is paid for again; the record counts and is tried again once."""
    taken = claim(store, planned)
    with store.writing() as connection:
        one = records_in_chunk(connection, taken)[0].id
        refused = [
            EnricherFailure(one, "weather", "no such town"),
            EnricherFailure(one, "price", "no such thing"),
        ]
        return_chunk(connection, taken, refused=refused[:1])
    taken = claim(store, planned)
    with store.writing() as connection:
        return_chunk(connection, taken, refused=refused[1:])
    with store.writing() as connection:
        assert set(failures_in_chunk(connection, taken.id, taken.revision)) == set(refused)
        assert count_quarantined(connection, planned.id) == 1
        assert {found.enricher for found in list_quarantine(connection)} == {"weather", "price"}
        assert retry_quarantine(connection, planned.id) == 1
        assert list_quarantine(connection) == []


def test_a_plan_of_another_revision_makes_no_chunks(store: Store, planned: Dataset) -> None:
    """A planner that read the dataset before a change must not act on it."""
    with store.writing() as connection:
        set_plan(connection, planned, (PlanStep("language", "f2"),))
        assert plan_chunks(connection, planned, 1) is None


def test_what_a_dead_neighbour_held_is_free_at_once(store: Store, planned: Dataset) -> None:
    """Nobody waits for a lease whose owner is known to be dead."""
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
    run_once = claim(store, planned, living)
    assert run_once.id == held.id
    assert run_once.fence > held.fence
    assert kept.id != held.id
