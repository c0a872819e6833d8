"""Everything in which SQLite and PostgreSQL differ."""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Connection,
    Double,
    Engine,
    FromClause,
    Integer,
    Table,
    Text,
    cast,
    create_engine,
    event,
    extract,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004  the pool's
)
from sqlalchemy.pool import ConnectionPoolEntry

Insert: TypeAlias = postgresql.Insert | sqlite.Insert

BUSY_SECONDS = 30
# SQLite's own; of pages of the store, for each connection.
PAGE_CACHE_KIB = 2000
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_SNAPSHOT, sqlite3.SQLITE_BUSY_RECOVERY}
# What a worker's connections are called on a PostgreSQL server.
WORKER = "veilleuse worker"
CONNECT_SECONDS = 10
# Any number will do, so long as every upgrade of a store takes the same.
_UPGRADE_LOCK = 7_301_001


def make_writer(url: str, connections: int, name: str, page_cache_kib: int) -> Engine:
    """Return an engine whose every transaction may write."""
    engine = _make_engine(url, connections, name, page_cache_kib)
    if engine.dialect.name == "sqlite":
        # A deferred transaction that turns into a writing one fails at once where another
        # has written meanwhile, whatever the timeout; so each takes the lock when it begins.
        event.listen(engine, "begin", _begin_immediate)
    return engine


def make_reader(url: str, connections: int, name: str, page_cache_kib: int) -> Engine:
    """Return an engine in autocommit, so that no reader holds a transaction against writers."""
    return _make_engine(url, connections, name, page_cache_kib, isolation_level="AUTOCOMMIT")


def _make_engine(
    url: str,
    connections: int,
    name: str,
    page_cache_kib: int,
    **options: Any,  # noqa: ANN401
) -> Engine:
    options |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": BUSY_SECONDS}
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
        # Without the sign it would be a number of pages.
        f"cache_size=-{page_cache_kib}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def insert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that knows ON CONFLICT."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)


def excluded(column: str) -> ColumnElement[Any]:
    """Return the value that an upsert would have inserted into a column."""
    return literal_column(f"excluded.{column}")


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    key: Collection[str],
    *,
    change: Mapping[str, Any] | None = None,
    where: ColumnElement[bool] | None = None,
) -> None:
    """Insert rows; where a row with the same key is there already, update its other columns.

    `key` names the columns of a unique index. `change` gives the new values of the columns to
    update instead, and `where` says which rows may be updated. A row's values may be SQL
    expressions where there is only one row.
    """
    if not rows:
        return
    new = change or {name: excluded(name) for name in rows[0] if name not in key}
    statement = insert(connection, table)
    if len(rows) == 1:
        connection.execute(
            statement.values(**rows[0]).on_conflict_do_update(
                index_elements=list(key), set_=new, where=where
            )
        )
        return
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=new, where=where),
        [dict(row) for row in rows],
    )


def json_elements(connection: Connection, array: BindParameter[str]) -> FromClause:
    """Return the elements of a JSON array as rows: `at`, counted from 0, and `json`, their text."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(array).table_valued("key", "value")
        return select(each.c.key.label("at"), each.c.value.label("json")).subquery()
    elements = func.json_array_elements(cast(array, JSON))
    rows = elements.table_valued("value", with_ordinality="number").render_derived()
    return select(
        (cast(rows.c.number, Integer) - 1).label("at"), cast(rows.c.value, Text).label("json")
    ).subquery()


def lock_upgrade(connection: Connection) -> None:
    """Let one process at a time change the tables; SQLite's transaction does so already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})


def lease_clock(connection: Connection) -> tuple[ColumnElement[float], str]:
    """Return the time in seconds that leases run on, and the boot that it counts from.

    PostgreSQL has one clock for all workers. SQLite's is the worker's own, which a person may
    set; so there it is the time since boot, which means nothing after another boot.
    """
    if connection.dialect.name == "postgresql":
        return extract("epoch", func.clock_timestamp()).cast(Double), ""
    return literal(time.clock_gettime(time.CLOCK_BOOTTIME), Double), boot_id()


def wall_seconds(connection: Connection) -> float:
    """Return the seconds since 1970 by the store's clock, where there is one of its own."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(select(lease_clock(connection)[0])).scalar_one())
    return time.time()


def worker_backend_pids(connection: Connection) -> set[int]:
    """Return the server's processes that work for our workers, by their ids on its own machine."""
    if connection.dialect.name != "postgresql":
        return set()
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = :name"
    return set(connection.execute(text(query), {"name": WORKER}).scalars())


@functools.cache
def boot_id() -> str:
    """Return what tells this boot of this machine from any other, or "" where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def is_transient(error: DBAPIError) -> bool:
    """Tell whether the same transaction may well succeed when it is run again at once."""
    # PostgreSQL ended it to end a deadlock, or because another one came first; SQLite's lock is
    # not handed out in turn, so that one of many writers may wait in vain.
    if getattr(error.orig, "sqlite_errorcode", 0) in _SQLITE_BUSY:
        return True
    return getattr(error.orig, "sqlstate", "") in {"40P01", "40001"}


def is_out_of_reach(error: SQLAlchemyError) -> bool:
    """Tell whether the store is gone for now: restarted, shut down, or its network is."""
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    no_state = not state and isinstance(error, OperationalError | InterfaceError)
    # 08: connection; 57P: shut down, crashed, starting; 53: too many connections, out of room.
    return (
        error.connection_invalidated or no_state or state[:2] in {"08", "53"} or state[:3] == "57P"
    )


def most_connections(connection: Connection) -> int | None:
    """Return how many connections the store gives to all together, None where it does not count."""
    if connection.dialect.name != "postgresql":
        return None
    return int(connection.execute(text("SHOW max_connections")).scalar_one())


def store_bytes(connection: Connection) -> int:
    """Return the size of the whole store."""
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    else:
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(connection.execute(text(query)).scalar_one())


@functools.cache
def _marked(sql: str, count: int, dialect: str) -> str:
    return sql.format(*["?" if dialect == "sqlite" else "%s"] * count)


def find_row(connection: Connection, sql: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the first row of a query that is asked for every answer, each value a {} in it.

    Asked past SQLAlchemy, which takes 50 µs and more to do what the driver does in 6; raises
    its errors all the same.
    """
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101  a connection that is open has one
    try:
        found: tuple[Any, ...] | None = driver.execute(
            _marked(sql, len(values), connection.dialect.name), values
        ).fetchone()
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError(sql, values, error) from error
    return found
