"""The sessions of a store: which connections are not to be used again."""

from __future__ import annotations

import select
from collections.abc import MutableSet
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakSet

from .limits import Limits

if TYPE_CHECKING:
    from .timed_connection import TimedConnection

# What is still asked of the store once a process has cut its connections.
LAST_SECONDS = 2.0


class Sessions:
    """The limits of a store's connections, and the epoch in which each was opened.

    A failover or a network fault concerns all connections of that time, not only the one that
    fails first: a new epoch has each of them replaced before it is used again.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.epoch = 0
        self.is_closed = False
        self._open: MutableSet[TimedConnection] = WeakSet()

    def add(self, connection: TimedConnection) -> None:
        """Remember a connection to PostgreSQL, so that it can be cut."""
        self._open.add(connection)

    def condemn(self) -> None:
        """Have every connection that is open now replaced before it is used again."""
        self.epoch += 1

    def cut(self) -> None:
        """End what any thread waits for; what follows gets LAST_SECONDS at most."""
        self.limits = replace(
            self.limits, connect_seconds=LAST_SECONDS, statement_seconds=LAST_SECONDS
        )
        self.condemn()
        for connection in list(self._open):
            connection.cut()

    def close(self) -> None:
        """Close each connection that is returned from now on: its pool is not used again."""
        self.is_closed = True


def is_ended(connection: TimedConnection) -> bool:
    """Return whether an idle connection is closed, by this side or by the server's."""
    return connection.closed or _has_news(connection)


def _has_news(connection: TimedConnection) -> bool:
    """Return whether an idle connection can be read from: the server has closed it."""
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except OSError:
        return True
