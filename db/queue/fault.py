"""Faults of datasets: what is stopped, why, and when it is tried again.

A fault belongs to a dataset and a subject: a step of its plan, a command such as "train", or one of
the words below. Workers record it and everybody reads it. It is cleared once the subject works.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from db.errors import one_line
from db.records.dataset import DamagedDataset, read_datasets
from db.spec.dataset_spec import PREDICTION
from db.store.direct.clock import wall_seconds
from db.store.direct.statement import Statement, StoreConnection
from db.store.generation import raise_generation

from .failed_run import Run, unrepaired_runs

_COLUMNS = "subject, reason, since, tries, tried_at, wait_seconds"
_SELECT = (
    f"SELECT d.name, {_COLUMNS} FROM {{schema}}fault f JOIN {{schema}}dataset d"  # noqa: S608
    " ON d.id = f.dataset_id"
)
_all = Statement(f"{_SELECT} ORDER BY d.name, subject")
_of_dataset = Statement(f"{_SELECT} WHERE d.id = {{}} ORDER BY subject")
_before = Statement("SELECT since, tries FROM {schema}fault WHERE dataset_id = {} AND subject = {}")
# Nothing of a dataset that has been deleted meanwhile.
_record = Statement(
    f"INSERT INTO {{schema}}fault (dataset_id, {_COLUMNS})"  # noqa: S608
    " SELECT id, {}, {}, {}, {}, {}, {} FROM {schema}dataset WHERE id = {}"
    " ON CONFLICT (dataset_id, subject) DO UPDATE SET reason = excluded.reason,"
    " since = excluded.since, tries = excluded.tries, tried_at = excluded.tried_at,"
    " wait_seconds = excluded.wait_seconds"
)
_clear = Statement("DELETE FROM {schema}fault WHERE dataset_id = {} AND subject = {}")

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
    connection: StoreConnection,
    dataset_id: int,
    subject: str,
    reason: str,
    wait_seconds: float = 0.0,
) -> float:
    """Record one more failed try, and return how long to wait before the next one.

    This is `wait_seconds`; 0 stands for the backoff.
    """
    before = _before.first(connection, dataset_id, subject)
    now = wall_seconds(connection)
    since, tries = (before[0], before[1] + 1) if before else (now, 1)
    wait = wait_seconds or backoff_seconds(tries)
    values = subject, one_line(reason), since, tries, now, wait
    is_recorded = _record.run(connection, *values, dataset_id)
    if is_recorded and before is None:
        # Web processes name it in /readyz.
        raise_generation(connection)
    return wait


def clear_fault(connection: StoreConnection, dataset_id: int, subject: str) -> None:
    """Remove a fault, if there is one: it works again."""
    if _clear.run(connection, dataset_id, subject):
        raise_generation(connection)


def all_faults(connection: StoreConnection) -> list[Fault]:
    """Return everything that is wrong with any dataset, by dataset and subject.

    These are what is stopped, and the commands whose last run failed.
    """
    stopped = stopped_parts(connection, read_datasets(connection)[1])
    faults = {(one.dataset, one.subject): one for one in stopped}
    for run in unrepaired_runs(connection):
        faults.setdefault((run.dataset, run.command), _fault_of_run(run))
    return [faults[name] for name in sorted(faults)]


def stopped_parts(connection: StoreConnection, damaged: Iterable[DamagedDataset]) -> list[Fault]:
    """Return the recorded faults, and those of specs that cannot be read."""
    specs = [Fault(one.name, SPEC, one.reason, 0.0, 1, 0.0, 0.0) for one in damaged]
    return [*read_faults(connection), *specs]


def _fault_of_run(run: Run) -> Fault:
    reason = run.reason or "its reason is not known"
    return Fault(run.dataset, run.command, reason, run.ended_at, 1, run.ended_at, 0.0)


def read_faults(connection: StoreConnection, dataset_id: int | None = None) -> list[Fault]:
    """Return the recorded faults of a dataset, or of all, by dataset and subject."""
    every = dataset_id is None
    rows = _all.rows(connection) if every else _of_dataset.rows(connection, dataset_id)
    return [Fault(*row) for row in rows]
