"""Reading of a database that can neither change it nor take longer than a limit."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from db.store.direct.errors import is_timeout

from .user_database import UserDatabase

# SQLite asks after so many steps of its program, which take about a millisecond.
STEPS = 10_000
# What a reader may do; anything else of SQLite's list is refused.
_ALLOWED = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,
    }
)
# The names of the databases' own tables begin so.
SYSTEM_TABLES = ("pg_", "sqlite_", "pragma_")


@contextmanager
def limited_reading(database: UserDatabase, seconds: float) -> Iterator[Connection]:
    """Yield a connection that only reads, each of whose queries has a time limit.

    SQLite counts the seconds of its process, which may be stopped meanwhile; PostgreSQL those of
    its clock.
    """
    with database.connect() as connection:
        if connection.dialect.name == "sqlite":
            _limit_sqlite(connection, seconds)
        else:
            _limit_postgresql(connection, seconds)
        yield connection


def _limit_sqlite(connection: Connection, seconds: float) -> None:
    driver: Any = connection.connection.driver_connection
    end = time.process_time() + seconds
    driver.set_progress_handler(lambda: time.process_time() > end, STEPS)
    driver.set_authorizer(_authorize)


def _authorize(action: int, name: str | None, detail: str | None, *_: str | None) -> int:
    """Allow SQLite to read tables that are not its own."""
    is_system = action == sqlite3.SQLITE_READ and (name or "").lower().startswith(SYSTEM_TABLES)
    is_loading = action == sqlite3.SQLITE_FUNCTION and detail == "load_extension"
    allowed = action in _ALLOWED and not is_system and not is_loading
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _limit_postgresql(connection: Connection, seconds: float) -> None:
    """Limit a transaction; PgBouncer passes such settings on, and forgets them with it."""
    connection.execute(text("SET TRANSACTION READ ONLY"))
    limits = "SELECT set_config('statement_timeout', :limit, true),"
    limits += " set_config('lock_timeout', :limit, true)"
    connection.execute(text(limits), {"limit": f"{max(round(1000 * seconds), 1)}ms"})


def is_too_slow(error: SQLAlchemyError) -> bool:
    """Return whether a query was ended because it took too long, or waited too long for a lock."""
    original = getattr(error, "orig", None)
    if isinstance(original, sqlite3.Error):
        return original.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
    return is_timeout(error)
