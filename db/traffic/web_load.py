"""What web processes tell workers of their load."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, or_, select

from db.store import tables
from db.store.dialect import lease_clock, upsert

# A web process that has said nothing for so long has nothing to do, or is gone.
SILENT_SECONDS = 5.0


@dataclass(frozen=True)
class WebLoad:
    """What web processes do: requests, those not answered yet, and how long they take."""

    requests_per_second: float = 0.0
    in_flight: int = 0
    p95_seconds: float = 0.0


def write_load(connection: Connection, process: str, load: WebLoad) -> None:
    """Say what a web process does now."""
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


def end_signal(connection: Connection, process: str) -> None:
    """Take back what a web process that ends has said, and what those said that are gone."""
    now, boot = lease_clock(connection)
    # Another host's clock may count from another boot; on SQLite there is one host.
    gone = or_(
        tables.web_signal.c.told_boot != boot, tables.web_signal.c.told < now - 60 * SILENT_SECONDS
    )
    connection.execute(
        delete(tables.web_signal).where(or_(tables.web_signal.c.process == process, gone))
    )


def read_load(connection: Connection) -> WebLoad | None:
    """Return what all web processes do together, the slowest one's p95; None without any."""
    now, boot = lease_clock(connection)
    lately = and_(
        tables.web_signal.c.told_boot == boot,
        tables.web_signal.c.told.between(now - SILENT_SECONDS, now + 1),
    )
    rows = connection.execute(select(tables.web_signal).where(lately)).all()
    if not rows:
        return None
    return WebLoad(
        sum(row.requests_per_second for row in rows),
        sum(row.in_flight for row in rows),
        max(row.p95_seconds for row in rows),
    )
