"""The clocks of the store."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from .statement import Statement, StoreConnection

_now = Statement("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")


def wall_seconds(connection: StoreConnection) -> float:
    """Return the seconds since 1970, by the server's clock on PostgreSQL."""
    if connection.dialect.name == "postgresql":
        return float(_now.value(connection))
    return time.time()


def lease_seconds(connection: StoreConnection) -> tuple[float, str]:
    """Return the time of leases, and the id of the boot that it counts from.

    PostgreSQL's own clock serves all workers, and needs no boot id. SQLite has only the clock of
    the worker's machine, which a person may set; so leases there count the seconds since boot,
    which cannot be compared after the machine has been restarted.
    """
    if connection.dialect.name == "postgresql":
        return wall_seconds(connection), ""
    return time.clock_gettime(time.CLOCK_BOOTTIME), boot_id()


@functools.cache
def boot_id() -> str:
    """Return an id of the current boot of this machine, or "" if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""
