"""Runs: the commands that worked on a dataset, with their outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError, one_line
from db.store import tables
from db.store.direct.clock import wall_seconds
from db.store.store import Store, error_reason

from .worker_registry import is_living

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


# When a run ended; for one that was killed, the last sign of life of its worker, which is removed
# once its process is known to have ended.
_ENDED_AT = func.coalesce(tables.run.c.ended_at, tables.worker.c.seen_at, tables.run.c.started_at)
_HAS_FAILED = tables.run.c.outcome.startswith(FAILED + ":") | (tables.run.c.outcome == FAILED)
_DIED = "its process was killed, or its machine stopped"


@dataclass(frozen=True)
class Run:
    """A run that has ended, or whose worker has."""

    dataset: str
    command: str
    started_at: float
    ended_at: float
    records: int
    outcome: str

    @property
    def reason(self) -> str:
        """Why the run failed, "" if that is not known."""
        return self.outcome.removeprefix(FAILED).removeprefix(": ")


def failed_runs(connection: Connection, limit: int) -> list[Run]:
    """Return the latest failed runs, at most `limit`, the latest first."""
    query = _select_runs().where(_HAS_FAILED).order_by(tables.run.c.id.desc()).limit(limit)
    return [Run(*row) for row in connection.execute(query)]


def unrepaired_runs(connection: Connection) -> list[Run]:
    """Return the latest run of each command on each dataset if it failed or its worker died.

    They are sorted by dataset and command.
    """
    is_latest = tables.run.c.id.in_(latest_run_ids())
    ended = _select_runs().where(is_latest, _HAS_FAILED)
    died = _select_runs().where(is_latest, tables.run.c.ended_at.is_(None), ~_is_living(connection))
    runs = [Run(*row) for row in connection.execute(ended)]
    runs += [replace(Run(*row), outcome=f"{FAILED}: {_DIED}") for row in connection.execute(died)]
    return sorted(runs, key=lambda run: (run.dataset, run.command))


def latest_run_ids() -> Select[tuple[int]]:
    """Return the query of the id of the latest run of each command on each dataset."""
    columns = tables.run.c
    return select(func.max(columns.id)).group_by(columns.dataset_id, columns.command)


def _select_runs() -> Select[Any]:
    columns = tables.run.c
    of_worker = tables.worker.c.id == columns.worker_id
    return (
        select(
            tables.dataset.c.name,
            columns.command,
            columns.started_at,
            _ENDED_AT,
            columns.records,
            columns.outcome,
        )
        .join(tables.dataset, tables.dataset.c.id == columns.dataset_id)
        .outerjoin(tables.worker, of_worker)
    )


def last_ended_at(connection: Connection, dataset_id: int, command: str) -> float | None:
    """Return when the last run of a command on a dataset ended, None if there was none.

    A run that was killed has ended at its worker's last sign of life. Whether a run is still going
    on is to be asked first.
    """
    of_worker = tables.worker.c.id == tables.run.c.worker_id
    query = (
        select(func.max(_ENDED_AT))
        .select_from(tables.run)
        .outerjoin(tables.worker, of_worker)
        .where(tables.run.c.dataset_id == dataset_id, tables.run.c.command == command)
    )
    ended_at: float | None = connection.execute(query).scalar_one()
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
