"""The limit of open files, which limits the connections of a process."""

from __future__ import annotations

import logging
import resource

CONNECTIONS = 10_000
SPARE_DESCRIPTORS = 200
FEW_CONNECTIONS = 1000

log = logging.getLogger("veilleuse.web")


def raise_descriptor_limit() -> None:
    """Allow as many connections as the system lets this process have; say if that is few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_DESCRIPTORS
    if soft < wanted and soft != resource.RLIM_INFINITY:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most_connections() < FEW_CONNECTIONS:
        log.warning(
            "the limit of open files (ulimit -n) leaves room for %s connections, and further ones"
            " wait; raise it to %s",
            most_connections(),
            wanted,
        )


def most_connections() -> int:
    """Return how many connections a process may have under its limit of open files."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(min(CONNECTIONS, limit - SPARE_DESCRIPTORS), limit // 4)
