"""Limits: how long a process waits for the store."""

from __future__ import annotations

from dataclasses import dataclass

from db.settings import Settings

# libpq's options by which TCP notices within 30 s that the other end is gone: an idle connection is
# asked for a sign of life, and sent bytes must be confirmed.
TCP_LIMITS = {
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


@dataclass(frozen=True)
class Limits:
    """How long a connection, a statement and a lock may take, in seconds."""

    connect_seconds: float
    statement_seconds: float
    lock_seconds: float


def web_limits(settings: Settings) -> Limits:
    """Return the limits of a web process, whose requests wait for the store."""
    seconds = settings.web_store_seconds
    return Limits(seconds, seconds, seconds)


def command_limits(settings: Settings) -> Limits:
    """Return the limits of workers and commands."""
    return Limits(
        settings.store_connect_seconds,
        settings.store_statement_seconds,
        settings.store_lock_seconds,
    )
