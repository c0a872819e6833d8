"""Many processes that claim chunks at once."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
import pytest
from sqlalchemy import func, insert, select

from db.errors import LeaseLost
from db.queue.chunk import Chunk, claim_chunk, finish_chunk, return_chunk
from db.records.dataset import Dataset, PlanStep, set_plan
from db.store import tables
from db.store.store import Store, connect_store
from tests.conftest import register, sample_spec, settings_for

from .conftest import FULL

CHUNKS = 100_000 if FULL else 2_000
# Chunks in the store at a time: far more than planners make, yet each claim sorts them all.
MOST_AT_ONCE = 1_000
PROCESSES = 8
LEASE_SECONDS = 600.0
# One claim in this many is returned, and one in this many has a lease that ends at once.
RETURN_EACH, LATE_EACH = 7, 11
PATIENCE_SECONDS = 3600.0
LOOK_SECONDS = 0.05

Outcome = Literal["finished", "returned", "lost"]


class Hold(msgspec.Struct, frozen=True):
    """One claim of a chunk, from just after the claim to just before the chunk is given up.

    Times are in nanoseconds of the monotonic clock, which all processes of a machine share.
    """

    chunk_id: int
    fence: int
    process: int
    began: int
    ended: int
    outcome: Outcome
    is_late: bool


class Claimer:
    """The claims of one process, and the file to which it writes them."""

    def __init__(
        self, store: Store, revisions: dict[int, int], process: int, log: BinaryIO
    ) -> None:
        self._store = store
        self._revisions = revisions
        self._process = process
        self._log = log

    def claim(self, lease_seconds: float) -> tuple[Chunk, int] | None:
        """Claim a chunk; return it with the time of the claim, or None if there is none."""
        held = self._store.write(
            partial(
                claim_chunk,
                revisions=self._revisions,
                worker_id=self._process,
                lease_seconds=lease_seconds,
            )
        )
        return None if held is None else (held, time.monotonic_ns())

    def give_up(self, held: Chunk, began: int, *, may_return: bool, is_late: bool) -> None:
        """Finish or return a chunk, and write the outcome to the log."""
        ended = time.monotonic_ns()
        outcome: Outcome = "returned" if may_return else "finished"
        end = return_chunk if may_return else partial(finish_chunk, enrichments=(), predictions=())
        try:
            self._store.write(partial(end, chunk=held))
        except LeaseLost:
            outcome = "lost"
        hold = Hold(held.id, held.fence, self._process, began, ended, outcome, is_late)
        self._log.write(msgspec.json.encode(hold) + b"\n")

    def run(self, is_last: Event) -> None:
        """Claim chunks until none is left and no more will be added."""
        late: tuple[Chunk, int] | None = None
        for number in itertools.count(1):
            was_last = is_last.is_set()
            is_late = number % LATE_EACH == 0
            claimed = self.claim(0.0 if is_late else LEASE_SECONDS)
            if late is not None:
                # The lease was over at once, so other processes could have claimed the chunk.
                self.give_up(*late, may_return=False, is_late=True)
                late = None
            if claimed is None and was_last:
                return
            if claimed is None:
                time.sleep(LOOK_SECONDS)
            elif is_late:
                late = claimed
            else:
                self.give_up(*claimed, may_return=number % RETURN_EACH == 0, is_late=False)


def claim_all(url: str, revisions: dict[int, int], process: int, log: Path, is_last: Event) -> None:
    """Run one of the claiming processes."""
    store = connect_store(settings_for(url))
    try:
        with log.open("wb") as file:
            Claimer(store, revisions, process, file).run(is_last)
    finally:
        store.close()


@pytest.fixture
def planned(store: Store) -> Dataset:
    """Return a dataset with a plan, so that its chunks can be claimed."""
    dataset = register(store, sample_spec("intents"))
    with store.writing() as connection:
        return set_plan(connection, dataset, (PlanStep("language", "f1"),))


@contextmanager
def claiming(
    url: str, dataset: Dataset, folder: Path, is_last: Event
) -> Iterator[list[BaseProcess]]:
    """Run the claiming processes, and kill them at the end of the block."""
    context = multiprocessing.get_context("spawn")
    revisions = {dataset.id: dataset.revision}
    claimers: list[BaseProcess] = [
        context.Process(
            target=claim_all, args=(url, revisions, number, folder / f"{number}", is_last)
        )
        for number in range(1, PROCESSES + 1)
    ]
    try:
        for claimer in claimers:
            claimer.start()
        yield claimers
    finally:
        for claimer in claimers:
            claimer.kill()
            claimer.join()


def feed(store: Store, dataset: Dataset, claimers: Iterable[BaseProcess]) -> None:
    """Add chunk rows while others are finished, until CHUNKS have been added."""
    left = CHUNKS
    until = time.monotonic() + PATIENCE_SECONDS
    row = {"dataset_id": dataset.id, "revision": dataset.revision, "asked": False}
    while left:
        assert time.monotonic() < until, f"{left} chunks have still to be added"
        assert not [claimer for claimer in claimers if claimer.exitcode], "a process has died"
        with store.reading() as connection:
            existing = connection.execute(
                select(func.count()).select_from(tables.chunk)
            ).scalar_one()
        room = min(MOST_AT_ONCE - existing, left)
        if existing <= MOST_AT_ONCE // 2 and room:
            with store.writing() as connection:
                connection.execute(insert(tables.chunk), [row] * room)
            left -= room
        else:
            time.sleep(LOOK_SECONDS)


def read_holds(folder: Path) -> dict[int, list[Hold]]:
    """Return all claims of each chunk, in the order of their fences."""
    holds: dict[int, list[Hold]] = defaultdict(list)
    for log in folder.iterdir():
        for line in log.read_bytes().splitlines():
            hold = msgspec.json.decode(line, type=Hold)
            holds[hold.chunk_id].append(hold)
    return {number: sorted(claims, key=lambda hold: hold.fence) for number, claims in holds.items()}


def test_eight_processes_claim_each_chunk_for_one_owner_at_a_time(
    store: Store, database_url: str, planned: Dataset, tmp_path: Path
) -> None:
    """Fences rise by one, no two live leases overlap, and each chunk is finished exactly once."""
    folder = tmp_path / "holds"
    folder.mkdir()
    is_last = multiprocessing.get_context("spawn").Event()
    with claiming(database_url, planned, folder, is_last) as claimers:
        feed(store, planned, claimers)
        is_last.set()
        for claimer in claimers:
            claimer.join(PATIENCE_SECONDS)
        assert [claimer.exitcode for claimer in claimers] == [0] * PROCESSES
    holds = read_holds(folder)
    assert len(holds) == CHUNKS
    for claims in holds.values():
        assert [hold.fence for hold in claims] == list(range(1, len(claims) + 1))
        assert [hold.outcome for hold in claims].count("finished") == 1
        live = [hold for hold in claims if not hold.is_late]
        assert all(hold.outcome != "lost" for hold in live)
        assert all(hold.ended < after.began for hold, after in itertools.pairwise(live))
    with store.reading() as connection:
        assert connection.execute(select(tables.chunk.c.id)).all() == []
    report(holds)


def report(holds: dict[int, list[Hold]]) -> None:
    """Print the rate and outcomes, which pytest shows with -s; fail if an outcome is missing."""
    every = [hold for claims in holds.values() for hold in claims]
    seconds = (max(hold.ended for hold in every) - min(hold.began for hold in every)) / 1e9
    outcomes = Counter((hold.outcome, hold.is_late) for hold in every)
    assert outcomes["returned", False]
    assert outcomes["lost", True]
    print(f"{len(every) / seconds:,.0f} claims/s; {dict(outcomes)}")  # noqa: T201
