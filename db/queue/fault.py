"""Faults of datasets: what is stopped, why, and when it is tried again.

A fault belongs to a dataset and a subject: a step of its plan, a command such as "train", or one of
the words below. Workers record it and everybody reads it. It is cleared once the subject works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, delete, select

from db.errors import one_line
from db.records.dataset import DamagedDataset, read_datasets
from db.spec.dataset_spec import PREDICTION
from db.store import tables
from db.store.dialect import upsert, wall_seconds
from db.store.generation import raise_generation

if TYPE_CHECKING:
    from .run_history import Run

SPEC = "spec"
PLAN = "plan"
CHUNK = "chunk"
MODEL = "model"

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Fault:
    """A fault; `since` and `tried_at` are the times of the first and the last failed try.

    They are 0 where they are not known.
    """

    dataset: str
    subject: str
    reason: str
    since: float
    tries: int
    tried_at: float
    wait_seconds: float

    def seconds_left(self, now: float) -> float:
        """Return how long to wait before the next try; 0 also where the clock was set back."""
        elapsed = now - self.tried_at
        return max(self.wait_seconds - elapsed, 0.0) if elapsed >= 0 else 0.0


def step_subject(name: str) -> str:
    """Return the subject of a step; an enricher may have the name of another subject."""
    return name if name == PREDICTION else f"enricher {name}"


def backoff_seconds(
    tries: int,
    first_seconds: float = FIRST_WAIT_SECONDS,
    longest_seconds: float = LONGEST_WAIT_SECONDS,
) -> float:
    """Return how long to wait after so many failed tries in a row: twice as long each time."""
    return min(first_seconds * 2.0 ** min(tries - 1, 30), longest_seconds)


def record_fault(
    connection: Connection, dataset_id: int, subject: str, reason: str, wait_seconds: float = 0.0
) -> float:
    """Record one more failed try, and return how long to wait before the next one.

    This is `wait_seconds`; 0 stands for the backoff.
    """
    is_dataset = select(tables.dataset.c.id).where(tables.dataset.c.id == dataset_id)
    if connection.execute(is_dataset).first() is None:
        # It has been deleted meanwhile.
        return wait_seconds or backoff_seconds(1)
    before = connection.execute(
        select(tables.fault.c.since, tables.fault.c.tries).where(_is(dataset_id, subject))
    ).first()
    now = wall_seconds(connection)
    tries = before.tries + 1 if before else 1
    wait = wait_seconds or backoff_seconds(tries)
    row = {
        "dataset_id": dataset_id,
        "subject": subject,
        "reason": one_line(reason),
        "since": before.since if before else now,
        "tries": tries,
        "tried_at": now,
        "wait_seconds": wait,
    }
    upsert(connection, tables.fault, [row], ("dataset_id", "subject"))
    if before is None:
        # Web processes name it in /readyz.
        raise_generation(connection)
    return wait


def clear_fault(connection: Connection, dataset_id: int, subject: str) -> None:
    """Remove a fault, if there is one: it works again."""
    if connection.execute(delete(tables.fault).where(_is(dataset_id, subject))).rowcount:
        raise_generation(connection)


def all_faults(connection: Connection) -> list[Fault]:
    """Return everything that is wrong with any dataset, by dataset and subject.

    These are what is stopped, and the commands whose last run failed.
    """
    # Web processes start without it.
    from .run_history import unrepaired_runs  # noqa: PLC0415

    stopped = stopped_parts(connection, read_datasets(connection)[1])
    faults = {(one.dataset, one.subject): one for one in stopped}
    for run in unrepaired_runs(connection):
        faults.setdefault((run.dataset, run.command), _fault_of_run(run))
    return [faults[name] for name in sorted(faults)]


def stopped_parts(connection: Connection, damaged: Iterable[DamagedDataset]) -> list[Fault]:
    """Return the recorded faults, and those of specs that cannot be read."""
    specs = [Fault(one.name, SPEC, one.reason, 0.0, 1, 0.0, 0.0) for one in damaged]
    return [*read_faults(connection), *specs]


def _fault_of_run(run: Run) -> Fault:
    reason = run.reason or "its reason is not known"
    return Fault(run.dataset, run.command, reason, run.ended_at, 1, run.ended_at, 0.0)


def read_faults(connection: Connection, dataset_id: int | None = None) -> list[Fault]:
    """Return the recorded faults of a dataset, or of all, by dataset and subject."""
    columns = [tables.fault.c[name] for name in Fault.__dataclass_fields__ if name != "dataset"]
    query = (
        select(tables.dataset.c.name, *columns)
        .join(tables.dataset, tables.dataset.c.id == tables.fault.c.dataset_id)
        .order_by(tables.dataset.c.name, tables.fault.c.subject)
    )
    if dataset_id is not None:
        query = query.where(tables.fault.c.dataset_id == dataset_id)
    return [Fault(*row) for row in connection.execute(query)]


def _is(dataset_id: int, subject: str) -> ColumnElement[bool]:
    return (tables.fault.c.dataset_id == dataset_id) & (tables.fault.c.subject == subject)
