"""A connection of the driver, with as much of SQLAlchemy's as statements need."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from db.settings.address import connection_parameters, sqlite_path
from db.store.limits import Limits
from db.store.sessions import is_ended

from .errors import DriverError, ValuesRefused

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Sequence[object]

# SQLite's default size of the page cache, which each connection has of its own.
PAGE_CACHE_KIB = 2000
# The addresses of the stores that this process has used: no message may have their secrets.
used_addresses: set[str] = set()
# A pooler gives each transaction another session, which does not know the statements that were
# prepared in the last one. The encoding is named because the driver reads no text of a database
# without one, which `encoding_problem` refuses in words.
FOR_POOLERS = {"prepare_threshold": None, "client_encoding": "utf8"}


@dataclass(frozen=True)
class Dialect:
    """The kind of database, "sqlite" or "postgresql", and the module of its driver."""

    name: str
    driver: ModuleType


class DirectConnection:
    """A connection in autocommit mode, for one thread at a time."""

    def __init__(self, dialect: Dialect, driver: Any) -> None:  # noqa: ANN401  of either driver
        self.dialect = dialect
        self.driver = driver
        # The schema of the tables, None on SQLite.
        self.schema: str | None = None
        self.closed = False

    def rows(self, sql: str, values: Values = ()) -> list[Row]:
        """Run a query as the driver takes it; return all rows. Raises DriverError."""
        with self.driver_errors():
            found: list[Row] = self.driver.execute(sql, values).fetchall()
            return found

    def run(self, sql: str, values: Values = ()) -> int:
        """Run a statement; return how many rows it has changed. Raises DriverError."""
        with self.driver_errors():
            count: int = self.driver.execute(sql, values).rowcount
            return count

    def run_each(self, sql: str, rows: Sequence[Values]) -> None:
        """Run a statement for each of some rows of values. Raises DriverError."""
        with self.driver_errors():
            self.driver.cursor().executemany(sql, rows)

    @contextmanager
    def transaction(self, limits: Limits) -> Iterator[DirectConnection]:
        """Commit what the block writes at its end, or roll it back after an error.

        Where that fails the connection is closed, so that no later transaction is part of this one.
        """
        try:
            self._begin(limits)
            yield self
            self.run("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self.dialect.name == "sqlite" and not self.driver.in_transaction:
            return
        try:
            self.run("ROLLBACK")
        except DriverError:
            self.close()

    def _begin(self, limits: Limits) -> None:
        if self.dialect.name == "sqlite":
            # A deferred transaction that starts to write fails at once, whatever the timeout, if
            # another one has written since it began. So each takes the write lock when it begins.
            self.run("BEGIN IMMEDIATE")
            return
        self.run("BEGIN")
        statement = self.driver.transaction_limits(limits)
        if statement is not None:
            self.run(*statement)

    @property
    def is_ended_while_idle(self) -> bool:
        """Whether it was closed, or the server has ended it since its last statement."""
        is_remote = self.dialect.name == "postgresql"
        return self.closed or (is_remote and is_ended(self.driver))

    @property
    def is_lost(self) -> bool:
        """Whether a statement has found that the connection has ended."""
        return self.dialect.name == "postgresql" and bool(self.driver.closed)

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back."""
        self.closed = True
        with suppress(self.dialect.driver.Error):
            self.driver.close()

    @contextmanager
    def driver_errors(self) -> Iterator[None]:
        """Raise the driver's errors as DriverError."""
        try:
            yield
        except self.dialect.driver.Error as error:
            raise self.error_of(error) from error

    def error_of(self, error: Exception) -> DriverError:
        """Return what to raise for an error of the driver."""
        driver = self.dialect.driver
        is_refusal = isinstance(error, driver.DataError | driver.IntegrityError)
        return ValuesRefused(error) if is_refusal else DriverError(error)


def connect(address: str, limits: Limits, name: str, page_cache_kib: int) -> DirectConnection:
    """Open a connection within its limits; raises DriverError.

    `name` is the connection's name on PostgreSQL; each connection to SQLite has a page cache.
    """
    if address.startswith("sqlite"):
        return _connect_sqlite(address, limits, page_cache_kib)
    # Only where PostgreSQL is used.
    import psycopg  # noqa: PLC0415

    from db.store.timed_connection import connect as connect_postgresql  # noqa: PLC0415

    parameters = {**connection_parameters(address), "application_name": name, **FOR_POOLERS}
    try:
        driver = connect_postgresql(limits, parameters)
        driver.autocommit = True
    except psycopg.Error as error:
        raise DriverError(error) from error
    return DirectConnection(Dialect("postgresql", psycopg), driver)


def _connect_sqlite(address: str, limits: Limits, page_cache_kib: int) -> DirectConnection:
    file = Path(sqlite_path(address))
    options = _sqlite_options(address) | {"timeout": limits.lock_seconds}
    try:
        make_private_file(file)
        driver = sqlite3.connect(file, **options | {"check_same_thread": False})
        set_up_sqlite(driver, page_cache_kib)
    except sqlite3.Error as error:
        raise DriverError(error) from error
    return DirectConnection(Dialect("sqlite", sqlite3), driver)


def _sqlite_options(address: str) -> dict[str, Any]:
    """Return the options of an address, for which few ask, as SQLAlchemy reads them."""
    if "?" not in address:
        return {}
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.dialects.sqlite import dialect  # noqa: PLC0415

    return dict(dialect().create_connect_args(make_url(address))[1])


def make_private_file(file: Path) -> None:
    """Make the file before SQLite does, so that its owner alone may read it.

    SQLite gives the log and the shared memory of a store the mode of its file.
    """
    if file.name != ":memory:" and not file.exists():
        # A folder that is missing, or is not writable, is for SQLite to report.
        with suppress(OSError):
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def set_up_sqlite(connection: Any, page_cache_kib: int) -> None:  # noqa: ANN401  SQLAlchemy's too
    """Set what each connection to SQLite sets for itself."""
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
