"""The one SQL store that web processes and workers share."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from db.errors import StoreError
from db.settings import Settings
from db.store import tables

from .dialect import PAGE_CACHE_KIB, is_transient, make_reader, make_writer

T = TypeVar("T")

TRIES = 5


@dataclass(frozen=True)
class Store:
    """An engine that writes and one that only reads."""

    writer: Engine
    reader: Engine

    @property
    def is_local(self) -> bool:
        """Whether it is a file of this machine, which answers without a network."""
        return self.writer.dialect.name == "sqlite"

    def writing(self) -> AbstractContextManager[Connection]:
        """Begin a transaction that is committed at the end, or rolled back by an exception."""
        return self.writer.begin()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction, and again where the store ended it for another one's sake."""
        for tried in range(TRIES - 1):
            try:
                with self.writing() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not is_transient(error):
                    raise
                # Those who met must not meet again.
                time.sleep(random.uniform(0, 0.02 * 2**tried))  # noqa: S311  no secret
        with self.writing() as connection:
            return work(connection)

    def reading(self) -> AbstractContextManager[Connection]:
        """Lend a connection in autocommit."""
        return self.reader.connect()

    def close(self) -> None:
        """Close every connection that is not lent."""
        self.writer.dispose()
        self.reader.dispose()


def connect_store(
    settings: Settings,
    connections: int = 5,
    name: str = "veilleuse",
    page_cache_kib: int = PAGE_CACHE_KIB,
) -> Store:
    """Return the store without looking at it; PostgreSQL calls its connections by the name."""
    url = settings.database_url
    given = url, connections, name, page_cache_kib
    return Store(make_writer(*given), make_reader(*given))


def open_store(
    settings: Settings,
    connections: int = 5,
    name: str = "veilleuse",
    page_cache_kib: int = PAGE_CACHE_KIB,
) -> Store:
    """Return the store; raises StoreError where it is out of reach or has no tables of ours."""
    store = connect_store(settings, connections, name, page_cache_kib)
    check_schema(store)
    return store


def check_schema(store: Store) -> None:
    """Raise StoreError unless the tables are there and new enough for this code.

    Newer ones are accepted: a migration fits the code before it, so that a deploy can go back.
    """
    file = sqlite_file(store)
    if file is not None and not file.exists():
        # Connecting would make an empty one, in whatever folder this is.
        raise StoreError(f"{file.absolute()}: there is no store yet; run: python -m db upgrade")
    check_reachable(store)
    with store.reading() as connection:
        version = _schema_version(connection)
    if version is None:
        raise StoreError(f"{describe_store(store)}: has no tables yet; run: python -m db upgrade")
    if version < tables.SCHEMA:
        raise StoreError(
            f"{describe_store(store)}: has tables of an older version; run: python -m db upgrade"
        )


def check_reachable(store: Store) -> None:
    """Raise StoreError, with the mend, where the store cannot be connected to."""
    try:
        with store.reading() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        file = sqlite_file(store)
        mend = "is it up, and is DATABASE_URL right?"
        if file is not None:
            mend = f"is it an SQLite file, and may this user write in {file.absolute().parent}?"
        raise StoreError(f"{describe_store(store)}: {error_reason(error)}; {mend}") from error


def sqlite_file(store: Store) -> Path | None:
    """Return the file of a store that is one."""
    url = store.writer.url
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _schema_version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def describe_store(store: Store) -> str:
    """Return the store's address without its password."""
    return store.writer.url.render_as_string(hide_password=True)


def error_reason(error: SQLAlchemyError) -> str:
    """Return the driver's own words, in one line."""
    words = str(error.orig if isinstance(error, DBAPIError) else error)
    return " ".join(words.split())
