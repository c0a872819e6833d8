"""The store as a web process has it: the driver's connections, and SQLAlchemy for the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from db.errors import StoreError
from db.settings import Settings
from db.settings.address import sqlite_path
from db.store.limits import Limits, command_limits
from db.store.sessions import Sessions

from .connection import PAGE_CACHE_KIB, DirectConnection, connect, used_addresses
from .errors import DriverError, condemns_connection
from .place import FIND_SCHEMAS, SCHEMA, choose_schema
from .statement import Statement
from .transaction import write

if TYPE_CHECKING:
    from db.store.store import Store

T = TypeVar("T")

_version = Statement("SELECT version_num FROM {schema}veilleuse_version")


class DirectStore:
    """The store through its driver alone, with a connection for each thread.

    `pooled` is the same store through SQLAlchemy.
    """

    def __init__(
        self, settings: Settings, connections: int, name: str, page_cache_kib: int, limits: Limits
    ) -> None:
        used_addresses.add(settings.database_url)
        self._settings = settings
        self._options = connections, name, page_cache_kib
        self.sessions = Sessions(limits)
        self._schema = settings.database_schema
        self._thread_local = threading.local()
        self._connections: dict[DirectConnection, threading.Thread] = {}
        self._pooled: Store | None = None
        self._pooling = threading.Lock()

    @property
    def is_local(self) -> bool:
        """Whether the store is a file on this machine, which is read without a network."""
        return self._settings.database_url.startswith("sqlite")

    @property
    def pooled(self) -> Store:
        """The same store through SQLAlchemy, which is imported when it is first asked for."""
        with self._pooling:
            if self._pooled is None:
                from db.store.store import connect_store  # noqa: PLC0415

                self._pooled = connect_store(self._settings, *self._options, sessions=self.sessions)
            return self._pooled

    def connection(self) -> DirectConnection:
        """Return this thread's connection, a new one if there is none or it is of no use.

        Raises DriverError, and StoreError if it is not clear which schema has the tables.
        """
        own: tuple[DirectConnection, int] | None = getattr(self._thread_local, "own", None)
        if own is not None:
            connection, epoch = own
            if epoch == self.sessions.epoch and not connection.is_ended_while_idle:
                return connection
            self.discard(connection)
        epoch = self.sessions.epoch
        connection = self._connect()
        self._connections[connection] = threading.current_thread()
        self._thread_local.own = connection, epoch
        return connection

    def _connect(self) -> DirectConnection:
        _, name, page_cache_kib = self._options
        limits = self.sessions.limits
        connection = connect(self._settings.database_url, limits, name, page_cache_kib)
        if not self.is_local:
            self.sessions.add(connection.driver)
            try:
                connection.schema = self._schema or self._find_schema(connection)
            except (DriverError, StoreError):
                connection.close()
                raise
        return connection

    def _find_schema(self, connection: DirectConnection) -> str:
        """Return the schema of the tables, and look for it no more once it is found."""
        ((found, search_path),) = connection.rows(FIND_SCHEMAS)
        place = choose_schema("", found, search_path)
        if place.schema in place.found:
            self._schema = place.schema
        return place.schema

    @contextmanager
    def reading(self) -> Iterator[DirectConnection]:
        """Yield the connection of this thread, for use in a `with` statement."""
        connection = self.connection()
        try:
            yield connection
        except DriverError as error:
            self.discard_lost(connection, error)
            raise

    @contextmanager
    def writing(self) -> Iterator[DirectConnection]:
        """Begin a transaction that is committed at the end, or rolled back by an exception."""
        with self.reading() as connection, connection.transaction(self.sessions.limits):
            yield connection

    def write(self, work: Callable[[DirectConnection], T]) -> T:
        """Run `work` in a transaction; repeat it if another transaction made the store abort it.

        It is not repeated once a statement's time is over.
        """
        return write(self.writing, work, self.sessions.limits.statement_seconds)

    def discard_lost(self, connection: DirectConnection, error: Exception) -> None:
        """Close a connection of this thread after an error, if that tells that it is lost.

        The others of its time are lost, too.
        """
        if connection.is_lost or condemns_connection(error):
            self.sessions.condemn()
            self.discard(connection)

    def discard(self, connection: DirectConnection) -> None:
        """Close the connection of this thread."""
        self._thread_local.own = None
        self._connections.pop(connection, None)
        connection.close()

    def is_usable(self) -> bool:
        """Return whether the tables are there, in just the version that this code has."""
        if self.is_local and not Path(sqlite_path(self._settings.database_url)).exists():
            # Connecting would create an empty file.
            return False
        try:
            with self.reading() as connection:
                return bool(_version.value(connection) == SCHEMA)
        except DriverError:
            return False

    def close(self) -> None:
        """Close the connections of this thread and of those that have ended.

        To close one that another thread uses would end the process with a segmentation fault.
        """
        self.sessions.close()
        for connection, thread in tuple(self._connections.items()):
            if thread is threading.current_thread() or not thread.is_alive():
                connection.close()
        if self._pooled is not None:
            self._pooled.close()


def open_direct_store(
    settings: Settings,
    connections: int,
    name: str = "veilleuse",
    page_cache_kib: int = PAGE_CACHE_KIB,
    limits: Limits | None = None,
) -> DirectStore:
    """Return the store; raise StoreError if it is unreachable or its tables are missing or old."""
    limits = limits or command_limits(settings)
    store = DirectStore(settings, connections, name, page_cache_kib, limits)
    if not store.is_usable():
        try:
            _check_schema(store)
        except StoreError:
            store.close()
            raise
    return store


def _check_schema(store: DirectStore) -> None:
    """Raise StoreError, which says why the store cannot be used, unless its newer tables do."""
    from db.store.store import check_schema  # noqa: PLC0415  imports SQLAlchemy

    check_schema(store.pooled)
