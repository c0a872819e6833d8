"""What workers' gates have read in the last hour, for those who ask why one is closed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from db.store import tables
from db.store.dialect import wall_seconds

KEEP_SECONDS = 3600.0


@dataclass(frozen=True)
class GateAverages:
    """What a gate has read over some seconds, and the share of them in which it was open.

    A figure is None where nothing was read of it.
    """

    open_share: float
    foreign_cores: float | None = None
    memory_share: float | None = None
    stalled_share: float | None = None
    web_requests: float | None = None


def add_gate_averages(
    connection: Connection, worker_id: int, at: float, means: dict[str, object]
) -> None:
    """Keep what a worker's gate has read, and drop what is older than an hour, whoever's it is."""
    connection.execute(insert(tables.reading).values(worker_id=worker_id, at=at, **means))
    connection.execute(delete(tables.reading).where(tables.reading.c.at < at - KEEP_SECONDS))


def last_hour(connection: Connection) -> dict[int, list[tuple[float, GateAverages]]]:
    """Return what each worker's gate has read, with how many seconds ago that was, oldest first."""
    now = wall_seconds(connection)
    query = select(tables.reading).where(tables.reading.c.at > now - KEEP_SECONDS)
    found: dict[int, list[tuple[float, GateAverages]]] = {}
    for row in connection.execute(query.order_by(tables.reading.c.worker_id, tables.reading.c.at)):
        means = GateAverages(*(getattr(row, name) for name in GateAverages.__dataclass_fields__))
        found.setdefault(row.worker_id, []).append((now - row.at, means))
    return found
