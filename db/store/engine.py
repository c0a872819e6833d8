"""SQLAlchemy engines: how SQLite and PostgreSQL are connected to."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from .sessions import Sessions

# SQLite's default size of the page cache, which each connection has of its own.
PAGE_CACHE_KIB = 2000
# The driver keeps 128 statements, and an insert of another number of rows is another one: with
# SQLAlchemy's 1,000 rows an import of a million rows took 100 MiB for them.
ROWS_PER_INSERT = 250
# A pooler gives each transaction another session, which does not know the statements that were
# prepared in the last one. The encoding is named because the driver reads no text of a database
# without one, which `encoding_problem` refuses in words.
_FOR_POOLERS = {"prepare_threshold": None, "client_encoding": "utf8"}


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
        sessions.limit_transactions(engine)
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
        event.listen(engine, "do_connect", _make_private_file)
        event.listen(engine, "connect", partial(_set_up_sqlite, page_cache_kib))
        return engine
    connect_args = {"application_name": name, **_FOR_POOLERS}
    engine = create_engine(url, connect_args=connect_args, **options)
    sessions.watch(engine)
    return engine


def _make_private_file(
    _dialect: Dialect, _entry: ConnectionPoolEntry, arguments: list[Any], _options: dict[str, Any]
) -> None:
    """Make the file before SQLite does, so that its owner alone may read it.

    SQLite gives the log and the shared memory of a store the mode of its file.
    """
    file = Path(arguments[0])
    if file.name != ":memory:" and not file.exists():
        # A folder that is missing, or is not writable, is for SQLite to report.
        with suppress(OSError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _set_up_sqlite(
    page_cache_kib: int, connection: DBAPIConnection, _entry: ConnectionPoolEntry
) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        # A negative number is a size in KiB, a positive one a number of pages.
        f"cache_size=-{page_cache_kib}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
