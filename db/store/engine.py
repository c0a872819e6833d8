"""SQLAlchemy engines: how SQLite and PostgreSQL are connected to."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_SECONDS = 30
# SQLite's default size of the page cache, which each connection has of its own.
PAGE_CACHE_KIB = 2000
CONNECT_SECONDS = 10
# The driver keeps 128 statements, and an insert of another number of rows is another one: with
# SQLAlchemy's 1,000 rows an import of a million rows took 100 MiB for them.
ROWS_PER_INSERT = 250


def make_writer(url: str, connections: int, name: str, page_cache_kib: int) -> Engine:
    """Return an engine for transactions that write."""
    engine = _make_engine(url, connections, name, page_cache_kib)
    if engine.dialect.name == "sqlite":
        # A deferred transaction that starts to write fails at once, whatever the timeout, if
        # another one has written since it began. So each takes the write lock when it begins.
        event.listen(engine, "begin", _begin_immediate)
    return engine


def make_reader(url: str, connections: int, name: str, page_cache_kib: int) -> Engine:
    """Return an engine in autocommit mode: an open read transaction would hold writers up."""
    return _make_engine(url, connections, name, page_cache_kib, isolation_level="AUTOCOMMIT")


def _make_engine(
    url: str,
    connections: int,
    name: str,
    page_cache_kib: int,
    **options: Any,  # noqa: ANN401
) -> Engine:
    options |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": BUSY_SECONDS}
    options["insertmanyvalues_page_size"] = ROWS_PER_INSERT
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        engine = create_engine(url, **options)
        event.listen(engine, "connect", partial(_set_up_sqlite, page_cache_kib))
        return engine
    options["connect_args"] = {"connect_timeout": CONNECT_SECONDS, "application_name": name}
    return create_engine(url, pool_pre_ping=True, **options)


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
