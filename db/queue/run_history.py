"""Runs: the commands that worked on a dataset, with their outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError, one_line
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.direct.statement import Statement, StoreConnection
from db.store.store import Store, error_reason

from .failed_run import ENDED_AT, FAILED, RUNS
from .workers.worker_registry import is_living

_last_ended_at = Statement(
    f"SELECT max({ENDED_AT}) FROM {RUNS} WHERE r.dataset_id = {{}} AND r.command = {{}}"  # noqa: S608
)


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
    """The outcome of a run: "failed", with the reason if there is one, or what was completed."""

    outcome: str = FAILED
    records: int = 0

    def complete(self, outcome: str, records: int = 0) -> None:
        """Set the outcome of a run that did not fail."""
        self.outcome, self.records = outcome, records

    def fail(self, error: Exception) -> None:
        """Set the outcome to the reason of a failure, on one line."""
        self.outcome, self.records = f"{FAILED}: {one_line(error_words(error))}", 0


def error_words(error: Exception, where: str = "the output of the command") -> str:
    """Return an error in words without secrets; `where` shows an error that is not ours."""
    if isinstance(error, SQLAlchemyError):
        return error_reason(error)
    if isinstance(error, VeilleuseError):
        return str(error)
    # Only our own messages are known to contain no secret.
    return f"{type(error).__name__}, which {where} explains"


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
    except Exception as error:
        run.fail(error)
        raise
    finally:
        store.write(partial(end_run, run_id=run_id, records=run.records, outcome=run.outcome))


def latest_run_ids() -> Select[tuple[int]]:
    """Return the query of the id of the latest run of each command on each dataset."""
    columns = tables.run.c
    return select(func.max(columns.id)).group_by(columns.dataset_id, columns.command)


def last_ended_at(connection: StoreConnection, dataset_id: int, command: str) -> float | None:
    """Return when the last run of a command on a dataset ended, None if there was none.

    A run that was killed has ended at its worker's last sign of life. Whether a run is still going
    on is to be asked first.
    """
    ended_at: float | None = _last_ended_at.value(connection, dataset_id, command)
    return ended_at


def last_completed_at(
    connection: Connection, dataset_id: int, command: str, outcome: str
) -> float | None:
    """Return when a command on a dataset last ended with this outcome, None if it never did.

    Times in the future were written under a wrong clock, and do not count.
    """
    columns = tables.run.c
    query = select(func.max(columns.ended_at)).where(
        columns.dataset_id == dataset_id,
        columns.command == command,
        columns.outcome == outcome,
        columns.ended_at <= wall_seconds(connection),
    )
    ended_at: float | None = connection.execute(query).scalar_one()
    return ended_at


def is_running(connection: Connection, dataset_id: int, command: str) -> bool:
    """Return whether a worker that was seen recently runs this command on a dataset."""
    query = exists().where(
        tables.run.c.dataset_id == dataset_id,
        tables.run.c.command == command,
        tables.run.c.ended_at.is_(None),
        _is_living(connection),
    )
    return bool(connection.execute(select(query)).scalar_one())


def _is_living(connection: Connection) -> ColumnElement[bool]:
    """Return the condition that the worker of a run was seen recently."""
    workers = tables.worker.alias()
    lives = is_living(workers.c.seen_at, wall_seconds(connection))
    return exists().where(workers.c.id == tables.run.c.worker_id, lives)
