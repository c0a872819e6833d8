"""The load of web processes, which workers read to decide whether the machine is idle."""

from __future__ import annotations

from dataclasses import dataclass

from db.store.direct.clock import lease_seconds
from db.store.direct.statement import Statement, StoreConnection

# A web process whose row is older than this has no requests, or has ended.
SILENT_SECONDS = 5.0


_write = Statement(
    "INSERT INTO {schema}web_signal"
    " (process, requests_per_second, in_flight, p95_seconds, told, told_boot)"
    " VALUES ({}, {}, {}, {}, {}, {}) ON CONFLICT (process) DO UPDATE SET"
    " requests_per_second = excluded.requests_per_second, in_flight = excluded.in_flight,"
    " p95_seconds = excluded.p95_seconds, told = excluded.told, told_boot = excluded.told_boot"
)
# On SQLite, times of another boot cannot be compared. All its processes are on one machine.
_delete = Statement(
    "DELETE FROM {schema}web_signal WHERE process = {} OR told_boot <> {} OR told < {}"
)
_read = Statement(
    "SELECT sum(requests_per_second), sum(in_flight), max(p95_seconds) FROM {schema}web_signal"
    " WHERE told_boot = {} AND told BETWEEN {} AND {}"
)


@dataclass(frozen=True)
class WebLoad:
    """The load of web processes: request rate, unanswered requests, and response time."""

    requests_per_second: float = 0.0
    in_flight: int = 0
    p95_seconds: float = 0.0


def write_load(connection: StoreConnection, process: str, load: WebLoad) -> None:
    """Write the current load of a web process."""
    values = load.requests_per_second, load.in_flight, load.p95_seconds
    _write.run(connection, process, *values, *lease_seconds(connection))


def delete_load(connection: StoreConnection, process: str) -> None:
    """Delete the load of a web process that ends, and rows that ended processes left behind."""
    now, boot = lease_seconds(connection)
    _delete.run(connection, process, boot, now - 60 * SILENT_SECONDS)


def read_load(connection: StoreConnection) -> WebLoad | None:
    """Return the load of all web processes, with the highest p95; None if none is active."""
    now, boot = lease_seconds(connection)
    requests_per_second, in_flight, p95_seconds = _read.rows(
        connection, boot, now - SILENT_SECONDS, now + 1
    )[0]
    if requests_per_second is None:
        return None
    return WebLoad(requests_per_second, int(in_flight), p95_seconds)
