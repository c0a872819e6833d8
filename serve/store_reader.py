"""Store reads behind a circuit breaker, on one connection per thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.records.observation import FoundRecord, find_row
from db.records.prediction import find_body
from db.store.generation import read_generation
from db.store.store import Store

T = TypeVar("T")

log = logging.getLogger("veilleuse.web")


class StoreUnreachable(VeilleuseError):
    """The store cannot be read at the moment."""

    def __init__(self) -> None:
        super().__init__("the store is unreachable; try again in a few seconds")


class StoreReader:
    """Store reads behind a circuit breaker: while the store is down, every lookup is a miss.

    Only `poll_generation` waits for a store that is down, and closes the breaker when the store
    is back. Requests never wait for it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread_local = threading.local()
        self._connections: list[Connection] = []
        self.is_up = True

    def find_prediction(self, dataset_id: int, key: bytes) -> bytes | None:
        """Return the response body stored for a key, or None."""
        if not self.is_up:
            return None
        try:
            return self._read(lambda connection: find_body(connection, dataset_id, key))
        except SQLAlchemyError as error:
            self._mark_down(error)
            return None

    def find_row(self, dataset_id: int, row_id: str) -> FoundRecord | None:
        """Return the record of a row by its row id, or None; raises StoreUnreachable."""
        if not self.is_up:
            raise StoreUnreachable
        try:
            return self._read(lambda connection: find_row(connection, dataset_id, row_id))
        except SQLAlchemyError as error:
            self._mark_down(error)
            raise StoreUnreachable from error

    def poll_generation(self) -> int | None:
        """Return the store's generation, or None while the store is down."""
        try:
            generation = self._read(read_generation)
        except SQLAlchemyError as error:
            self._mark_down(error)
            return None
        if not self.is_up:
            log.info("the store can be read again")
        self.is_up = True
        return generation

    def _read(self, read: Callable[[Connection], T]) -> T:
        try:
            return read(self.connection())
        except SQLAlchemyError:
            # The store may have been restarted since this thread last read: try a new connection.
            self._discard_connection()
        return read(self.connection())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield this thread's connection; raises StoreUnreachable, at once while the store is down.

        Errors of the block's own reads are raised as StoreUnreachable as well.
        """
        if not self.is_up:
            raise StoreUnreachable
        try:
            yield self.connection()
        except SQLAlchemyError as error:
            self._mark_down(error)
            raise StoreUnreachable from error

    def connection(self) -> Connection:
        """Return this thread's connection, opening it if necessary."""
        connection: Connection | None = getattr(self._thread_local, "connection", None)
        if connection is None or connection.closed or connection.invalidated:
            connection = self._store.reader.connect()
            self._thread_local.connection = connection
            self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close the connections of all threads; the threads must have ended."""
        for connection in self._connections:
            _close(connection)

    def _mark_down(self, error: SQLAlchemyError) -> None:
        if self.is_up:
            log.warning("the store is unreachable: %s", type(error).__name__)
        self.is_up = False
        self._discard_connection()

    def _discard_connection(self) -> None:
        connection: Connection | None = getattr(self._thread_local, "connection", None)
        self._thread_local.connection = None
        if connection is not None:
            self._connections.remove(connection)
            _close(connection)


def _close(connection: Connection) -> None:
    """Close a connection without sending anything to the store, which may be down."""
    if not connection.closed:
        connection.invalidate()
        connection.close()
