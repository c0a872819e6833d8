"""The shelf: predictions read from the store, each thread through a connection of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.records.prediction import find_body
from db.store.engine import Store
from db.store.generation import read_generation

T = TypeVar("T")

log = logging.getLogger("veilleuse.web")


class StoreUnreachable(VeilleuseError):
    """The store cannot be read now."""

    def __init__(self) -> None:
        super().__init__("the store is out of reach; try again soon")


class StoreReader:
    """Reads that never fail: while the store is out of reach there is nothing on the shelf.

    Only `look` waits for a store that is gone; requests do not try until it is back.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._mine = threading.local()
        self._lent: list[Connection] = []
        self.is_up = True

    def body(self, dataset_id: int, key: bytes) -> bytes | None:
        """Return the body stored for a key, if there is one."""
        if not self.is_up:
            return None
        try:
            return self._read(lambda connection: find_body(connection, dataset_id, key))
        except SQLAlchemyError as error:
            self._lose(error)
            return None

    def poll_generation(self) -> int | None:
        """Return the store's generation, None while it is out of reach."""
        try:
            generation = self._read(read_generation)
        except SQLAlchemyError as error:
            self._lose(error)
            return None
        if not self.is_up:
            log.info("the store is back")
        self.is_up = True
        return generation

    def _read(self, read: Callable[[Connection], T]) -> T:
        try:
            return read(self._connection())
        except SQLAlchemyError:
            # The store may have been restarted since this thread last asked.
            self._drop()
        return read(self._connection())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a connection for a page; raises OutOfReach at once while the store is gone."""
        if not self.is_up:
            raise StoreUnreachable
        try:
            yield self._connection()
        except SQLAlchemyError as error:
            self._lose(error)
            raise StoreUnreachable from error

    def connection(self) -> Connection:
        """Return this thread's connection."""
        return self._connection()

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._mine, "connection", None)
        if connection is None or connection.closed or connection.invalidated:
            connection = self._store.reader.connect()
            self._mine.connection = connection
            self._lent.append(connection)
        return connection

    def close(self) -> None:
        """Close the connections of all threads, which must have ended."""
        for connection in self._lent:
            _end(connection)

    def _lose(self, error: SQLAlchemyError) -> None:
        if self.is_up:
            log.warning("the store is out of reach: %s", type(error).__name__)
        self.is_up = False
        self._drop()

    def _drop(self) -> None:
        connection: Connection | None = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is not None:
            self._lent.remove(connection)
            _end(connection)


def _end(connection: Connection) -> None:
    """Close a connection without a word to a store that may be gone."""
    if not connection.closed:
        connection.invalidate()
        connection.close()
