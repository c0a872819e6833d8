"""The load readings of workers' gates in the last hour, which show why a gate is closed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from db.store import tables
from db.store.direct.clock import wall_seconds

KEEP_SECONDS = 3600.0


@dataclass(frozen=True)
class GateAverages:
    """Averages of a gate's readings over some seconds, and the share of them when it was open.

    A value is None if the gate did not read it.
    """

    open_share: float
    foreign_cores: float | None = None
    memory_share: float | None = None
    stalled_share: float | None = None
    web_requests: float | None = None


def add_gate_averages(
    connection: Connection, worker_id: int, at: float, means: dict[str, object]
) -> None:
    """Add averages of a worker's gate, and delete those of all workers older than an hour."""
    connection.execute(insert(tables.reading).values(worker_id=worker_id, at=at, **means))
    connection.execute(delete(tables.reading).where(tables.reading.c.at < at - KEEP_SECONDS))


def recent_gate_averages(connection: Connection) -> dict[int, list[tuple[float, GateAverages]]]:
    """Return each worker's averages of the last hour with their age in seconds, oldest first."""
    now = wall_seconds(connection)
    query = select(tables.reading).where(tables.reading.c.at > now - KEEP_SECONDS)
    by_worker: dict[int, list[tuple[float, GateAverages]]] = {}
    for row in connection.execute(query.order_by(tables.reading.c.worker_id, tables.reading.c.at)):
        means = GateAverages(*(getattr(row, name) for name in GateAverages.__dataclass_fields__))
        by_worker.setdefault(row.worker_id, []).append((now - row.at, means))
    return by_worker
