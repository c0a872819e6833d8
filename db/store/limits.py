"""Limits: how long a process waits for the store."""

from __future__ import annotations

from dataclasses import dataclass

from db.settings import Settings


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
