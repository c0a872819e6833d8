"""All differences between the SQL of SQLite and PostgreSQL; for connections, see engine.py."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Engine,
    Table,
    extract,
    func,
    literal,
    literal_column,
    text,
)
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004  the pool's
)

from .direct.clock import lease_seconds
from .direct.errors import condemns_connection, is_timeout, sqlstate

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert = postgresql.Insert | sqlite.Insert

# PostgreSQL's application_name for the connections of workers.
WORKER_NAME = "veilleuse worker"
# An arbitrary number; every upgrade of a store must take the lock with the same number.
_UPGRADE_LOCK = 7_301_001
_IMPORT_LOCK = 7_301_002
# What the transaction that holds the lock of an import sets for itself: it may last for hours, and
# by default a server notices after two hours that a client's machine has lost its power.
_LONG_TRANSACTION = """
SELECT set_config(name, value, true) FROM pg_catalog.pg_settings JOIN (VALUES
  ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6'),
  ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0')
) AS wanted (name, value) USING (name)
"""


def insert(connection: Connection, table: Table) -> Insert:
    """Return an INSERT statement that supports ON CONFLICT."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: Table) -> Insert:
    """Return an INSERT statement that supports ON CONFLICT, for any connection of a dialect.

    Importing the dialect that the store does not have would take 2 MiB and 25 ms.
    """
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite  # noqa: PLC0415

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415

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
    """Insert rows; if a row with the same key exists, update its other columns.

    `key` names the columns of a unique index. `change` gives the new values of the columns to
    update instead of all others, and `where` restricts which existing rows are updated. Values
    may be SQL expressions if there is only one row.
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


def lock_upgrade(connection: Connection) -> None:
    """Wait until no other process changes the tables; on SQLite the transaction does so already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _UPGRADE_LOCK})


@contextmanager
def import_lock(engine: Engine, dataset_id: int) -> Iterator[bool]:
    """Hold the lock of imports into a dataset; yields whether it was free.

    The lock ends with its process. On SQLite it is a lock on a file of its own, since closing the
    store's file anywhere in the process would end SQLite's locks.
    """
    if engine.dialect.name == "sqlite":
        path = f"{engine.url.database}-import-{dataset_id}.lock"
        # Whoever may read the store may open this file too, and lock it.
        mode = Path(str(engine.url.database)).stat().st_mode & 0o666
        file = os.open(path, os.O_RDONLY | os.O_CREAT, mode)
        try:
            yield _lock_file(file)
        finally:
            os.close(file)
        return
    values = {"lock": _IMPORT_LOCK, "dataset": dataset_id}
    # A transaction keeps its session, also where a pooler shares sessions between transactions.
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        # The pool's other connections are for the import.
        connection.detach()
        connection.execute(text(_LONG_TRANSACTION))
        lock = text("SELECT pg_try_advisory_xact_lock(:lock, :dataset)")
        try:
            yield bool(connection.execute(lock, values).scalar_one())
        finally:
            # The server would notice the end of the connection a little later.
            with suppress(DBAPIError):
                connection.rollback()


def _lock_file(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lease_clock(connection: Connection) -> tuple[ColumnElement[float], str]:
    """Return the clock of leases in seconds, and its boot id, as `lease_seconds` does.

    On PostgreSQL it is an expression, so that a statement reads it when it runs.
    """
    if connection.dialect.name == "postgresql":
        return extract("epoch", func.clock_timestamp()).cast(Double), ""
    seconds, boot = lease_seconds(connection)
    return literal(seconds, Double), boot


def worker_backend_pids(connection: Connection) -> set[int]:
    """Return the server processes of workers' connections, as ids on the server's machine."""
    if connection.dialect.name != "postgresql":
        return set()
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = :name"
    return set(connection.execute(text(query), {"name": WORKER_NAME}).scalars())


def is_unreachable(error: SQLAlchemyError) -> bool:
    """Return whether the store cannot be reached now: a restart, a shutdown, a network fault."""
    if isinstance(error, TimeoutError):
        return True
    if not isinstance(error, DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return False
    state = sqlstate(error)
    no_state = not state and isinstance(error, OperationalError | InterfaceError)
    # SQLSTATE 53: too many connections, disk full.
    gone = condemns_connection(error) or state[:2] == "53"
    return error.connection_invalidated or no_state or gone or is_timeout(error)


def connection_limit(connection: Connection) -> int | None:
    """Return how many connections the server accepts from all clients, None on SQLite."""
    if connection.dialect.name != "postgresql":
        return None
    return int(connection.execute(text("SHOW max_connections")).scalar_one())


def store_bytes(connection: Connection) -> int:
    """Return the size of the store in bytes."""
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    else:
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(connection.execute(text(query)).scalar_one())
