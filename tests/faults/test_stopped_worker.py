"""Workers that are stopped for longer than their leases last, and then continue."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.record import count_stale
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.planning.maintenance import refresh_plan
from tests.conftest import notes_spec, register
from tests.inline import enrich_now
from tests.integration.test_worker import wait_for

from .conftest import FULL
from .kill_group import WorkerGroup
from .stop_enrichers import SLOW
from .stop_event import (
    CLAIMED,
    FAILED,
    FINISHED,
    RENEWED,
    Event,
    metadata,
    stories,
    takeovers,
    wrongs,
)
from .stop_worker import REFUSED
from .test_kill_once import everything, left_over, make_stale

STOPS = 200 if FULL else 6
WORKERS, VICTIMS = (8, 5) if FULL else (4, 2)
# The shortest lease that the settings allow.
LEASE_SECONDS = 1.0
STOP_SECONDS = 3.1 * LEASE_SECONDS
# A worker that is stopped in a transaction keeps its lock, so that no other can take its chunk.
LONGEST_STOP_SECONDS = 10.0 * LEASE_SECONDS
BETWEEN_SECONDS = (0.1, 2.0)
LOOK_SECONDS = 0.05
TERMINATED_AT_ONCE = 8
# Records are added while fewer are stale, so that every worker has work.
RECORDS_AT_ONCE, FEWEST_RECORDS = 100 * WORKERS, 20 * WORKERS
MODULE = "tests.faults.stop_worker"
PATIENCE_SECONDS = 1800.0

SPEC = notes_spec(
    {
        "length": EnricherSpec(use="tests.faults.stop_enrichers.SlowLength"),
        "double": EnricherSpec(use="tests.store.sample_enrichers.Double", reads=("length",)),
    }
)


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Return a dataset without a model, and make the table of lease events."""
    metadata.create_all(store.writer)
    dataset = register(store, SPEC)
    with store.writing() as connection:
        return refresh_plan(connection, dataset, settings)


class Victim:
    """A worker that is repeatedly stopped and continued."""

    def __init__(self, process: subprocess.Popen[bytes], generator: random.Random) -> None:
        self._process = process
        self._generator = generator
        self._turned_at = self._until = 0.0
        self.is_stopped = False
        self.stops = 0

    def turn(self, holders: set[int], *, may_stop: bool) -> None:
        """Stop the worker while it holds a lease; continue it once another worker has the lease."""
        now, holds = time.monotonic(), self._process.pid in holders
        if now < self._until:
            return
        if self.is_stopped and not (holds and now < self._turned_at + LONGEST_STOP_SECONDS):
            self._send(signal.SIGCONT, self._generator.uniform(*BETWEEN_SECONDS))
        elif may_stop and holds and not self.is_stopped:
            self._send(signal.SIGSTOP, STOP_SECONDS)
            self.stops += 1

    def _send(self, number: signal.Signals, seconds: float) -> None:
        self._process.send_signal(number)
        self.is_stopped = number == signal.SIGSTOP
        self._turned_at = time.monotonic()
        self._until = self._turned_at + seconds


def holders_of(store: Store) -> set[int]:
    """Return the process ids of the workers that hold a chunk."""
    query = select(tables.worker.c.process).join(
        tables.chunk, tables.chunk.c.owner == tables.worker.c.id
    )
    with store.reading() as connection:
        return {int(process.split()[0]) for process in connection.execute(query).scalars()}


def count_registered(store: Store) -> int:
    """Count the registered workers."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.worker)).scalar_one()


def backlog(store: Store, dataset: Dataset) -> int:
    """Return how many records are stale."""
    with store.reading() as connection:
        return count_stale(connection, dataset.id, dataset.revision)


def add_more(store: Store, dataset: Dataset, first: int) -> int:
    """Add records without labels; return the number of the next record."""
    records = []
    for number in range(first, first + RECORDS_AT_ONCE):
        inputs = dataset.spec.read_inputs(
            {"sentence": f"merci {'beaucoup ' * (number % 7)}{number}"}
        )
        records.append(NewRow(dataset.spec.key(inputs), inputs))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")
    return first + RECORDS_AT_ONCE


def is_any_stopped(victims: Sequence[Victim]) -> bool:
    """Return whether one of the workers is stopped."""
    return any(victim.is_stopped for victim in victims)


def stop_and_continue(store: Store, dataset: Dataset, group: WorkerGroup, refused: Path) -> None:
    """Stop and continue some of the workers while there is work, then let them finish it.

    This lasts until the store has refused a write, which may take more stops on a busy machine.
    """
    generator = random.Random(6)
    victims = [Victim(process, generator) for process in group.workers[:VICTIMS]]
    records, stops, until = 0, 0, time.monotonic() + PATIENCE_SECONDS
    is_enough = False
    while (waiting := backlog(store, dataset)) or not is_enough or is_any_stopped(victims):
        is_short = not is_enough and waiting < FEWEST_RECORDS
        # A worker that is stopped in a transaction would block this insert.
        if is_short and not is_any_stopped(victims):
            records = add_more(store, dataset, records)
        holders = holders_of(store)
        for victim in victims:
            victim.turn(holders, may_stop=not is_enough and not is_short)
            stops = sum(each.stops for each in victims)
            is_enough = stops >= STOPS and refused.exists()
        group.tend()
        assert time.monotonic() < until, f"{stops=} of {STOPS}, {waiting=}\n{group.words()}"
        time.sleep(LOOK_SECONDS)
    assert not group.killed


def refusals(file: Path) -> Counter[str]:
    """Count the writes that were refused because the lease was lost, by kind."""
    return Counter(line.split()[0] for line in file.read_text("ascii").splitlines())


def test_workers_stopped_for_three_lease_lengths_write_nothing_under_lost_leases(
    store: Store, settings: Settings, database_url: str, notes: Dataset, tmp_path: Path
) -> None:
    """Each chunk is finished once, under its latest lease; the results are the same."""
    refused = tmp_path / "refused"
    environment = {REFUSED: str(refused), SLOW: "1", "LEASE_SECONDS": f"{LEASE_SECONDS:g}"}
    with WorkerGroup(MODULE, WORKERS, tmp_path / "said", database_url, **environment) as group:
        stop_and_continue(store, notes, group, refused)
    with store.reading() as connection:
        events = stories(connection)
    taken = sum(takeovers(story) for story in events.values())
    print(f"{STOPS=} chunks={len(events)} {taken=} {refusals(refused)}")  # noqa: T201  with -s
    assert not [wrong for story in events.values() for wrong in wrongs(story)]
    assert {story[-1].what for story in events.values()} <= {FINISHED, FAILED}
    # Without a takeover and a refusal the test would have tested nothing.
    assert taken
    assert refusals(refused)
    assert left_over(store) == [0, 0]
    after_stops = everything(store, notes)
    make_stale(store)
    enrich_now(store, settings)
    assert everything(store, notes) == after_stops


def test_workers_terminated_at_the_moment_they_continue_do_end(
    database_url: str, store: Store, notes: Dataset, tmp_path: Path
) -> None:
    """SIGTERM must end a worker whichever of its threads receives the signal."""
    environment = {REFUSED: str(tmp_path / "refused")}
    with WorkerGroup(
        MODULE, TERMINATED_AT_ONCE, tmp_path / "said", database_url, **environment
    ) as group:
        wait_for(lambda: count_registered(store) == TERMINATED_AT_ONCE)
        for process in group.workers:
            process.send_signal(signal.SIGSTOP)
            # SIGSTOP takes effect with a delay: wait until the process has stopped.
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    assert not backlog(store, notes)


def test_a_write_from_a_lost_lease_would_be_noticed() -> None:
    """The check of the first test detects writes under a lost lease."""
    taken_over = [Event(CLAIMED, 1), Event(RENEWED, 1), Event(CLAIMED, 2), Event(FINISHED, 2)]
    assert not wrongs(taken_over)
    assert takeovers(taken_over) == 1
    assert wrongs([Event(CLAIMED, 1), Event(CLAIMED, 2), Event(FINISHED, 1)])
    assert wrongs([Event(CLAIMED, 1), Event(CLAIMED, 2), Event(RENEWED, 1)])
    assert wrongs([*taken_over, Event(FINISHED, 2)])
