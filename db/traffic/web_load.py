"""The load of web processes, which workers read to decide whether the machine is idle."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, or_, select

from db.store import tables
from db.store.dialect import lease_clock, upsert

# A web process whose row is older than this has no requests, or has ended.
SILENT_SECONDS = 5.0


@dataclass(frozen=True)
class WebLoad:
    """The load of web processes: request rate, unanswered requests, and response time."""

    requests_per_second: float = 0.0
    in_flight: int = 0
    p95_seconds: float = 0.0


def write_load(connection: Connection, process: str, load: WebLoad) -> None:
    """Write the current load of a web process."""
    now, boot = lease_clock(connection)
    row = {
        "process": process,
        "requests_per_second": load.requests_per_second,
        "in_flight": load.in_flight,
        "p95_seconds": load.p95_seconds,
        "told": now,
        "told_boot": boot,
    }
    upsert(connection, tables.web_signal, [row], ("process",))


def delete_load(connection: Connection, process: str) -> None:
    """Delete the load of a web process that ends, and rows that ended processes left behind."""
    now, boot = lease_clock(connection)
    # On SQLite, times of another boot cannot be compared. All its processes are on one machine.
    is_abandoned = or_(
        tables.web_signal.c.told_boot != boot, tables.web_signal.c.told < now - 60 * SILENT_SECONDS
    )
    connection.execute(
        delete(tables.web_signal).where(or_(tables.web_signal.c.process == process, is_abandoned))
    )


def read_load(connection: Connection) -> WebLoad | None:
    """Return the load of all web processes, with the highest p95; None if none is active."""
    now, boot = lease_clock(connection)
    is_recent = and_(
        tables.web_signal.c.told_boot == boot,
        tables.web_signal.c.told.between(now - SILENT_SECONDS, now + 1),
    )
    rows = connection.execute(select(tables.web_signal).where(is_recent)).all()
    if not rows:
        return None
    return WebLoad(
        sum(row.requests_per_second for row in rows),
        sum(row.in_flight for row in rows),
        max(row.p95_seconds for row in rows),
    )
