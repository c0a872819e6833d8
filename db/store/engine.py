"""SQLAlchemy engines: how SQLite and PostgreSQL are connected to."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from .direct.connection import FOR_POOLERS, make_private_file, set_up_sqlite
from .direct.errors import condemns_connection
from .sessions import Sessions, is_ended

if TYPE_CHECKING:
    from .timed_connection import TimedConnection

# The driver keeps 128 statements, and an insert of another number of rows is another one: with
# SQLAlchemy's 1,000 rows an import of a million rows took 100 MiB for them.
ROWS_PER_INSERT = 250


def make_writer(
    url: str, sessions: Sessions, connections: int, name: str, page_cache_kib: int
) -> Engine:
    """Return an engine for transactions that write."""
    engine = _make_engine(url, sessions, connections, name, page_cache_kib)
    if engine.dialect.name == "sqlite":
        # A deferred transaction that starts to write fails at once, whatever the timeout, if
        # another one has written since it began. So each takes the write lock when it begins.
        event.listen(engine, "begin", _begin_immediate)
    else:
        event.listen(engine, "begin", partial(_limit_transaction, sessions))
    return engine


def make_reader(
    url: str, sessions: Sessions, connections: int, name: str, page_cache_kib: int
) -> Engine:
    """Return an engine in autocommit mode: an open read transaction would hold writers up."""
    options = url, sessions, connections, name, page_cache_kib
    return _make_engine(*options, isolation_level="AUTOCOMMIT")


def _make_engine(
    url: str,
    sessions: Sessions,
    connections: int,
    name: str,
    page_cache_kib: int,
    **options: Any,  # noqa: ANN401
) -> Engine:
    options |= {"pool_size": connections, "max_overflow": 0}
    options["pool_timeout"] = sessions.limits.lock_seconds
    options["insertmanyvalues_page_size"] = ROWS_PER_INSERT
    # Errors stand in logs, and the values of statements are what people ask.
    options["hide_parameters"] = True
    if url.startswith("sqlite"):
        options["connect_args"] = {
            "timeout": sessions.limits.lock_seconds,
            "check_same_thread": False,
        }
        engine = create_engine(url, **options)
        event.listen(engine, "do_connect", _on_connect_to_sqlite)
        event.listen(engine, "connect", partial(_set_up_sqlite, page_cache_kib))
        return engine
    connect_args = {"application_name": name, **FOR_POOLERS}
    engine = create_engine(url, connect_args=connect_args, **options)
    _watch(engine, sessions)
    return engine


def _watch(engine: Engine, sessions: Sessions) -> None:
    """Open the connections of a PostgreSQL engine within the limits, and watch them."""
    event.listen(engine, "do_connect", partial(_connect, sessions))
    event.listen(engine, "connect", partial(_remember_epoch, sessions))
    event.listen(engine, "checkout", partial(_check, sessions))
    event.listen(engine, "checkin", partial(_close_returned, sessions))
    event.listen(engine, "handle_error", partial(_handle_error, sessions))


def _connect(
    sessions: Sessions,
    _dialect: Dialect,
    _entry: ConnectionPoolEntry,
    arguments: list[object],
    parameters: dict[str, Any],
) -> TimedConnection:
    from .timed_connection import connect  # noqa: PLC0415  only where PostgreSQL is used

    assert not arguments  # noqa: S101  SQLAlchemy gives all of them names
    connection = connect(sessions.limits, parameters)
    sessions.add(connection)
    return connection


def _remember_epoch(
    sessions: Sessions, _connection: DBAPIConnection, entry: ConnectionPoolEntry
) -> None:
    entry.info["epoch"] = sessions.epoch


def _check(
    sessions: Sessions,
    connection: Any,  # noqa: ANN401
    entry: ConnectionPoolEntry,
    _fairy: object,
) -> None:
    """Replace a connection of an earlier epoch, and one that the server has closed."""
    if entry.info["epoch"] != sessions.epoch or is_ended(connection):
        raise DisconnectionError


def _close_returned(
    sessions: Sessions, connection: DBAPIConnection | None, _entry: ConnectionPoolEntry
) -> None:
    if sessions.is_closed and connection is not None:
        connection.close()


def _handle_error(sessions: Sessions, context: ExceptionContext) -> None:
    error = context.original_exception
    if isinstance(error, Exception) and condemns_connection(error):
        context.is_disconnect = True
    if context.is_disconnect:
        sessions.condemn()


def _limit_transaction(sessions: Sessions, connection: Connection) -> None:
    """Limit a transaction on the server too, where the session is a pooler's."""
    driver: Any = connection.connection.driver_connection
    statement = driver.transaction_limits(sessions.limits)
    if statement is not None:
        # By SQLAlchemy, which tells its own errors from the driver's.
        connection.exec_driver_sql(*statement)


def _on_connect_to_sqlite(
    _dialect: Dialect, _entry: ConnectionPoolEntry, arguments: list[Any], _options: dict[str, Any]
) -> None:
    make_private_file(Path(arguments[0]))


def _set_up_sqlite(
    page_cache_kib: int, connection: DBAPIConnection, _entry: ConnectionPoolEntry
) -> None:
    set_up_sqlite(connection, page_cache_kib)


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
