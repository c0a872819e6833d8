"""The sessions of a store: which connections are not to be used again."""

from __future__ import annotations

import select
from collections.abc import MutableSet
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

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
        self._is_closed = False
        self._open: MutableSet[TimedConnection] = WeakSet()

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
        self._is_closed = True

    def watch(self, engine: Engine) -> None:
        """Open the connections of a PostgreSQL engine within the limits, and watch them."""
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "connect", self._remember_epoch)
        event.listen(engine, "checkout", self._check)
        event.listen(engine, "checkin", self._close_returned)
        event.listen(engine, "handle_error", self._handle_error)

    def limit_transactions(self, engine: Engine) -> None:
        """Limit each transaction on the server too, where the session is a pooler's."""
        event.listen(engine, "begin", self._begin)

    def _connect(
        self,
        _dialect: Dialect,
        _entry: ConnectionPoolEntry,
        arguments: list[object],
        parameters: dict[str, Any],
    ) -> TimedConnection:
        from .timed_connection import connect  # noqa: PLC0415  only where PostgreSQL is used

        assert not arguments  # noqa: S101  SQLAlchemy gives all of them names
        connection = connect(self.limits, parameters)
        self._open.add(connection)
        return connection

    def _begin(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        statement = driver.transaction_limits(self.limits)
        if statement is not None:
            # By SQLAlchemy, which tells its own errors from the driver's.
            connection.exec_driver_sql(*statement)

    def _remember_epoch(self, _connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info["epoch"] = self.epoch

    def _check(self, connection: Any, entry: ConnectionPoolEntry, _fairy: object) -> None:  # noqa: ANN401
        """Replace a connection of an earlier epoch, and one that the server has closed."""
        if entry.info["epoch"] != self.epoch or connection.closed or _has_news(connection):
            raise DisconnectionError

    def _close_returned(
        self, connection: DBAPIConnection | None, _entry: ConnectionPoolEntry
    ) -> None:
        if self._is_closed and connection is not None:
            connection.close()

    def _handle_error(self, context: ExceptionContext) -> None:
        if condemns_connection(context.original_exception):
            context.is_disconnect = True
        if context.is_disconnect:
            self.condemn()


def condemns_connection(error: BaseException | None) -> bool:
    """Return whether an error tells that the sessions of this time are of no use any longer.

    SQLSTATE 25006: the server has become a standby, which only reads; 57P: it shuts down or has
    crashed; 08: the connection is lost.
    """
    state: str = getattr(error, "sqlstate", None) or ""
    return state == "25006" or state[:2] == "08" or state[:3] == "57P"


def _has_news(connection: TimedConnection) -> bool:
    """Return whether an idle connection can be read from: the server has closed it."""
    try:
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    except OSError:
        return True
