"""The SQL store that web processes and workers share."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from db.errors import StoreError
from db.settings import Settings
from db.settings.address import hide_secrets, shown_address

from .direct.connection import PAGE_CACHE_KIB, used_addresses
from .direct.errors import driver_error
from .direct.transaction import write
from .engine import make_reader, make_writer
from .limits import Limits, command_limits
from .schema import use_schema
from .schema_version import find_problem
from .sessions import Sessions

T = TypeVar("T")


@dataclass(frozen=True)
class Store:
    """Two engines for the same database: one writes in transactions, one reads in autocommit."""

    writer: Engine
    reader: Engine
    sessions: Sessions

    @property
    def is_local(self) -> bool:
        """Whether the store is a file on this machine, which is read without a network."""
        return self.writer.dialect.name == "sqlite"

    def writing(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that is committed at the end, or rolled back by an exception."""
        return self.writer.begin()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction; repeat it if another transaction made the store abort it.

        It is not repeated once a statement's time is over.
        """
        return write(self.writing, work, self.sessions.limits.statement_seconds)

    def reading(self) -> AbstractContextManager[Connection]:
        """Return a connection in autocommit mode, for use in a `with` statement."""
        return self.reader.connect()

    def close(self) -> None:
        """Close every connection that is not in use.

        On PostgreSQL, one that another thread uses is closed as soon as it is returned.
        """
        self.sessions.close()
        self.writer.dispose()
        self.reader.dispose()


def let_others_write() -> None:
    """Pause between two of many transactions.

    A connection that waits for SQLite's lock polls it rarely; without a pause, the next transaction
    of the same process would take the lock first each time.
    """
    time.sleep(0.001)


def connect_store(
    settings: Settings,
    connections: int = 5,
    name: str = "veilleuse",
    page_cache_kib: int = PAGE_CACHE_KIB,
    limits: Limits | None = None,
    sessions: Sessions | None = None,
) -> Store:
    """Return the store without connecting; `name` is the connections' name on PostgreSQL.

    The limits are those of commands unless others are given, as they are with sessions.
    """
    sessions = sessions or Sessions(limits or command_limits(settings))
    options = settings.database_url, sessions, connections, name, page_cache_kib
    store = Store(make_writer(*options), make_reader(*options), sessions)
    used_addresses.add(settings.database_url)
    for engine in (store.writer, store.reader):
        use_schema(engine, settings.database_schema)
    return store


def open_store(
    settings: Settings,
    connections: int = 5,
    name: str = "veilleuse",
    page_cache_kib: int = PAGE_CACHE_KIB,
    limits: Limits | None = None,
) -> Store:
    """Return the store; raise StoreError if it is unreachable or its tables are missing or old."""
    store = connect_store(settings, connections, name, page_cache_kib, limits)
    check_schema(store)
    return store


def check_schema(store: Store) -> None:
    """Raise StoreError unless the tables exist and are new enough for this code.

    Newer tables are accepted if their migration says that it works with this code, so that a
    deployment can be rolled back.
    """
    file = sqlite_file(store)
    if file is not None and not file.exists():
        # Connecting would create an empty file.
        raise StoreError(f"{file.absolute()}: the store does not exist; run: python -m db upgrade")
    check_reachable(store)
    try:
        with store.reading() as connection:
            problem = find_problem(connection)
    except SQLAlchemyError as error:
        raise StoreError(f"{describe_store(store)}: {error_reason(error)}") from error
    if problem is not None:
        raise StoreError(f"{describe_store(store)}: {problem}")


def check_reachable(store: Store) -> None:
    """Raise StoreError, which says what to check, if a connection to the store fails."""
    try:
        with store.reading() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        file = sqlite_file(store)
        advice = "check that the server is running and that DATABASE_URL is right"
        if file is not None:
            advice = (
                f"check that it is an SQLite file and that this user may write in"
                f" {file.absolute().parent}"
            )
        reason = error_reason(error)
        raise StoreError(f"{describe_store(store)}: {reason}; {advice}") from error


def sqlite_file(store: Store) -> Path | None:
    """Return the SQLite file, None on PostgreSQL."""
    url = store.writer.url
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def describe_store(store: Store) -> str:
    """Return the store's address without its secrets."""
    return shown_address(store.writer.url)


def error_reason(error: Exception) -> str:
    """Return the driver's message on one line, without the secrets of this process's stores."""
    message = str(driver_error(error))
    for address in tuple(used_addresses):
        message = hide_secrets(message, make_url(address))
    return " ".join(message.split())
