"""Runs: the commands that worked on a dataset, with their outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, exists, func, select, update

from db.store import tables
from db.store.dialect import wall_seconds
from db.store.store import Store

from .worker_registry import SILENT_SECONDS

FAILED = "failed"


def begin_run(connection: Connection, dataset_id: int, command: str, worker_id: int) -> int:
    """Store the start of a command on a dataset; return the run's id."""
    new = tables.run.insert().values(
        dataset_id=dataset_id,
        command=command,
        worker_id=worker_id,
        started_at=wall_seconds(connection),
    )
    run_id: int = connection.execute(new.returning(tables.run.c.id)).scalar_one()
    return run_id


def end_run(connection: Connection, run_id: int, records: int, outcome: str) -> None:
    """Store the end and the outcome of a run."""
    connection.execute(
        update(tables.run)
        .where(tables.run.c.id == run_id)
        .values(ended_at=wall_seconds(connection), records=records, outcome=outcome)
    )


@dataclass
class RunOutcome:
    """The outcome of a run: "failed", unless the command completes it."""

    outcome: str = FAILED
    records: int = 0

    def complete(self, outcome: str, records: int = 0) -> None:
        """Set the outcome of a run that did not fail."""
        self.outcome, self.records = outcome, records


@contextmanager
def recorded_run(
    store: Store, dataset_id: int, command: str, worker_id: int
) -> Iterator[RunOutcome]:
    """Store the start of a command, and at the end of the `with` block its outcome."""
    run = RunOutcome()
    run_id = store.write(
        partial(begin_run, dataset_id=dataset_id, command=command, worker_id=worker_id)
    )
    try:
        yield run
    finally:
        store.write(partial(end_run, run_id=run_id, records=run.records, outcome=run.outcome))


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    dataset: str
    command: str
    started_at: float
    ended_at: float
    records: int
    outcome: str


def failed_runs(connection: Connection, limit: int) -> list[Run]:
    """Return the latest failed runs, at most `limit`, the latest first."""
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
        .limit(limit)
    )
    return [Run(*row) for row in connection.execute(query)]


def last_ended_at(connection: Connection, dataset_id: int, command: str) -> float | None:
    """Return when the last run of a command on a dataset ended, None if none has."""
    query = select(func.max(tables.run.c.ended_at)).where(
        tables.run.c.dataset_id == dataset_id, tables.run.c.command == command
    )
    ended_at: float | None = connection.execute(query).scalar_one()
    return ended_at


def is_running(connection: Connection, dataset_id: int, command: str) -> bool:
    """Return whether a worker that was seen recently runs this command on a dataset."""
    is_recent = tables.worker.c.seen_at > wall_seconds(connection) - SILENT_SECONDS
    living = exists().where(tables.worker.c.id == tables.run.c.worker_id, is_recent)
    query = exists().where(
        tables.run.c.dataset_id == dataset_id,
        tables.run.c.command == command,
        tables.run.c.ended_at.is_(None),
        living,
    )
    return bool(connection.execute(select(query)).scalar_one())
