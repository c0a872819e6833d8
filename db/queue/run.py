"""Runs: what commands and workers did, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, exists, select, update

from db.store import tables
from db.store.dialect import wall_seconds
from db.store.engine import Store

from .worker import SILENT_SECONDS

FAILED = "failed"


def begin_run(connection: Connection, dataset_id: int, command: str, worker_id: int) -> int:
    """Note that a command has begun on a dataset; returns the run's id."""
    made = tables.run.insert().values(
        dataset_id=dataset_id,
        command=command,
        worker_id=worker_id,
        started_at=wall_seconds(connection),
    )
    run_id: int = connection.execute(made.returning(tables.run.c.id)).scalar_one()
    return run_id


def end_run(connection: Connection, run_id: int, records: int, outcome: str) -> None:
    """Note how a run ended."""
    connection.execute(
        update(tables.run)
        .where(tables.run.c.id == run_id)
        .values(ended_at=wall_seconds(connection), records=records, outcome=outcome)
    )


@dataclass
class RunOutcome:
    """How a run ended."""

    words: str = FAILED
    records: int = 0

    def say(self, words: str, records: int = 0) -> None:
        """Say how it ended."""
        self.words, self.records = words, records


@contextmanager
def running(store: Store, dataset_id: int, command: str, worker_id: int) -> Iterator[RunOutcome]:
    """Note that a command runs, and in the end what it says of itself."""
    outcome = RunOutcome()
    run_id = store.write(
        partial(begin_run, dataset_id=dataset_id, command=command, worker_id=worker_id)
    )
    try:
        yield outcome
    finally:
        store.write(partial(end_run, run_id=run_id, records=outcome.records, outcome=outcome.words))


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    dataset: str
    command: str
    started_at: float
    ended_at: float
    records: int
    outcome: str


def failed_runs(connection: Connection, most: int) -> list[Run]:
    """Return the runs that failed, the latest first."""
    columns = (
        tables.run.c.command,
        tables.run.c.started_at,
        tables.run.c.ended_at,
        tables.run.c.records,
        tables.run.c.outcome,
    )
    query = (
        select(tables.dataset.c.name, *columns)
        .join(tables.dataset, tables.dataset.c.id == tables.run.c.dataset_id)
        .where(tables.run.c.outcome == FAILED)
        .order_by(tables.run.c.id.desc())
        .limit(most)
    )
    return [Run(*row) for row in connection.execute(query)]


def is_running(connection: Connection, dataset_id: int, command: str) -> bool:
    """Tell whether a living worker runs that command on a dataset."""
    seen = tables.worker.c.seen_at > wall_seconds(connection) - SILENT_SECONDS
    living = exists().where(tables.worker.c.id == tables.run.c.worker_id, seen)
    query = exists().where(
        tables.run.c.dataset_id == dataset_id,
        tables.run.c.command == command,
        tables.run.c.ended_at.is_(None),
        living,
    )
    return bool(connection.execute(select(query)).scalar_one())
