"""The workers as pages and metrics show them: each with its last report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.store.direct.connection import Row
from db.store.direct.statement import Statement, StoreConnection

# A worker without a heartbeat for this time is taken for dead.
SILENT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker with its last report; all times are on the store's clock."""

    id: int = 0
    host: str = ""
    started_at: float = 0.0
    seen_at: float = 0.0
    state: str = ""
    since: float = 0.0
    reason: str = ""
    records: int = 0
    rate: float = 0.0
    open_share: float = 0.0
    error: str | None = None
    error_at: float | None = None
    limits: str | None = None

    def lives(self, now: float) -> bool:
        """Return whether the worker was seen recently.

        One that was seen in the future had a wrong clock, and is believed as little.
        """
        return abs(now - self.seen_at) <= SILENT_SECONDS


_COLUMNS = tuple(WorkerRow.__dataclass_fields__)
_all = Statement(f"SELECT {', '.join(_COLUMNS)} FROM {{schema}}worker ORDER BY id")  # noqa: S608


def all_workers(connection: StoreConnection) -> list[WorkerRow]:
    """Return all workers with their last reports, sorted by id."""
    return [_worker_of(row) for row in _all.rows(connection)]


def _worker_of(row: Row) -> WorkerRow:
    values = dict(zip(_COLUMNS, row, strict=True))
    return WorkerRow(**{**values, "host": values["host"].split(" ", 1)[0]})


def records_per_second(workers: Sequence[WorkerRow], now: float) -> float:
    """Return the rate of all living workers together, averaged over open and closed gates."""
    living = (worker for worker in workers if worker.lives(now))
    return float(sum(worker.rate * worker.open_share for worker in living))


def seconds_left(stale: int, workers: Sequence[WorkerRow], now: float) -> float | None:
    """Return the time for the stale records at the workers' rate, None if the rate is zero."""
    if not stale:
        return 0.0
    rate = records_per_second(workers, now)
    return stale / rate if rate else None
