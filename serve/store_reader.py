"""Store reads behind a circuit breaker, on one connection per thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from db.errors import VeilleuseError
from db.records.lookup import (
    FindBodies,
    FoundRecord,
    bind_find_bodies,
    bind_find_body,
    find_body,
    find_row,
)
from db.store.direct.connection import DirectConnection
from db.store.direct.direct_store import DirectStore
from db.store.direct.errors import error_name, is_timeout, store_errors
from db.store.direct.statement import StoreConnection
from db.store.generation import read_generation

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")

# Readiness must not wait for a store that hangs.
SILENT_SECONDS = 2.5
# A read of one row that takes longer waits for a disk or a lock, and so will the next ones.
SLOW_SECONDS = 0.02
REMEMBERED_SECONDS = 1.0
TOO_SLOW = "the store takes too long to answer this; ask for less, or try again in a few seconds"

log = logging.getLogger("veilleuse.web")


class StoreUnreachable(VeilleuseError):
    """The store cannot be read at the moment."""

    def __init__(
        self, message: str = "the store is unreachable; try again in a few seconds"
    ) -> None:
        super().__init__(message)


class _OwnReads(NamedTuple):
    """A thread's connection, the epoch in which it was opened, and its look-ups of predictions."""

    connection: StoreConnection
    epoch: int
    find_body: Callable[[int, bytes], bytes | None]
    find_bodies: FindBodies


class StoreReader:
    """Store reads behind a circuit breaker: while the store is down, every lookup is a miss.

    Only `poll_generation` waits for a store that is down, and closes the breaker when the store
    is back. A request waits for a store that hangs at most once, for WEB_STORE_SECONDS.
    """

    def __init__(self, store: DirectStore) -> None:
        self._store = store
        self._thread_local = threading.local()
        # Of threads that show pages; the store has the others.
        self._connections: list[Connection] = []
        self._polling_since: float | None = None
        self._slow_until = float("-inf")
        self.is_up = True

    @property
    def is_answering(self) -> bool:
        """Whether the store is up, and does not keep the poller waiting at this moment."""
        since = self._polling_since
        return self.is_up and (since is None or time.monotonic() - since < SILENT_SECONDS)

    def find_prediction(self, dataset_id: int, key: bytes) -> bytes | None:
        """Return the response body stored for a key, or None."""
        if not self.is_up:
            return None
        try:
            return self._read(lambda own: own.find_body(dataset_id, key))
        except store_errors() as error:
            self._mark_down(error)
            return None

    def find_predictions(self, dataset_id: int, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the response bodies stored for those keys that have one."""
        if not self.is_up:
            return {}
        try:
            return self._read(lambda own: own.find_bodies(dataset_id, keys))
        except store_errors() as error:
            self._mark_down(error)
            return {}

    def find_row(self, dataset_id: int, row_id: str) -> FoundRecord | None:
        """Return the record of a row by its row id, or None; raises StoreUnreachable."""
        self.require_up()
        try:
            return self._read(lambda own: find_row(own.connection, dataset_id, row_id))
        except store_errors() as error:
            self._mark_down(error)
            raise StoreUnreachable from error

    def poll_generation(self) -> int | None:
        """Return the store's generation, or None while the store is down."""
        was_up = self.is_up
        self._polling_since = time.monotonic()
        try:
            read = read_generation if was_up else _probe
            generation = self._read(lambda own: read(own.connection))
        except store_errors() as error:
            self._mark_down(error)
            return None
        finally:
            self._polling_since = None
        if not was_up:
            log.info("the store can be read again")
            self.is_up = True
        return generation

    def require_up(self) -> None:
        """Raise StoreUnreachable while the store is down."""
        if not self.is_up:
            raise StoreUnreachable

    @property
    def is_slow(self) -> bool:
        """Whether a read took long within the last second, because of a disk or a lock."""
        return time.monotonic() < self._slow_until

    def _read(self, read: Callable[[_OwnReads], T]) -> T:
        began = time.monotonic()
        try:
            return self._read_or_retry(read)
        finally:
            ended = time.monotonic()
            if ended - began > SLOW_SECONDS:
                self._slow_until = ended + REMEMBERED_SECONDS

    def _read_or_retry(self, read: Callable[[_OwnReads], T]) -> T:
        own = self._usable()
        try:
            return read(own or self._open())
        except store_errors() as error:
            self._discard_connection(error)
            # A store that hangs would make the caller wait again.
            if is_timeout(error) or own is None:
                raise
        # The store may have been restarted since this thread last read.
        return read(self._open())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield this thread's connection as SQLAlchemy's, for the queries of pages.

        Raises StoreUnreachable, at once while the store is down. Errors of the block's own reads
        are raised as StoreUnreachable as well. A store that says itself that a page took too long
        is not down.
        """
        with self._errors_as_unreachable():
            yield self.connection()

    @contextmanager
    def reading_directly(self) -> Iterator[StoreConnection]:
        """Yield this thread's connection, for statements alone; raises what `reading` does."""
        with self._errors_as_unreachable():
            yield (self._usable() or self._open()).connection

    @contextmanager
    def _errors_as_unreachable(self) -> Iterator[None]:
        self.require_up()
        try:
            yield
        except store_errors() as error:
            if is_timeout(error) and not self._has_lost_connection():
                raise StoreUnreachable(TOO_SLOW) from error
            self._mark_down(error)
            raise StoreUnreachable from error

    def connection(self) -> Connection:
        """Return this thread's connection as SQLAlchemy's, which takes the place of the driver's.

        So a thread that shows pages has one connection, and keeps it for its other reads.
        """
        own = self._usable()
        if own is not None and not isinstance(own.connection, DirectConnection):
            return own.connection
        self._discard_connection()
        epoch = self._store.sessions.epoch
        connection = self._store.pooled.reader.connect()
        self._keep(connection, epoch)
        return connection

    def _usable(self) -> _OwnReads | None:
        """Return this thread's connection and its reads if they can still be used."""
        own: _OwnReads | None = getattr(self._thread_local, "reads", None)
        if own is None:
            return None
        if own.epoch != self._store.sessions.epoch or _is_ended(own.connection):
            self._discard_connection()
            return None
        return own

    def _open(self) -> _OwnReads:
        epoch = self._store.sessions.epoch
        return self._keep(self._store.connection(), epoch)

    def _keep(self, connection: StoreConnection, epoch: int) -> _OwnReads:
        """Make a connection this thread's own."""
        if not isinstance(connection, DirectConnection):
            self._connections.append(connection)
        finds = bind_find_body(connection), bind_find_bodies(connection)
        own = _OwnReads(connection, epoch, *finds)
        self._thread_local.reads = own
        return own

    def close(self) -> None:
        """Close SQLAlchemy's connections of all threads; the threads must have ended."""
        for connection in self._connections:
            _close(connection)

    def _mark_down(self, error: Exception) -> None:
        if self.is_up:
            log.warning("the store is unreachable: %s", error_name(error))
        self.is_up = False
        # Every other connection may hang as this one did.
        self._store.sessions.condemn()
        self._discard_connection()

    def _discard_connection(self, error: Exception | None = None) -> None:
        """Close this thread's connection, after an error perhaps, which may concern the others."""
        own: _OwnReads | None = getattr(self._thread_local, "reads", None)
        self._thread_local.reads = None
        if own is None:
            return
        if isinstance(own.connection, DirectConnection):
            if error is not None:
                self._store.discard_lost(own.connection, error)
            self._store.discard(own.connection)
        else:
            self._connections.remove(own.connection)
            _close(own.connection)

    def _has_lost_connection(self) -> bool:
        own: _OwnReads | None = getattr(self._thread_local, "reads", None)
        return own is not None and _is_ended(own.connection)


def _probe(connection: StoreConnection) -> int:
    """Read all that requests read: each table may be locked without the others."""
    find_body(connection, 0, b"")
    find_row(connection, 0, "")
    return read_generation(connection)


def _is_ended(connection: StoreConnection) -> bool:
    if isinstance(connection, DirectConnection):
        return connection.closed or connection.is_lost
    return connection.closed or connection.invalidated


def _close(connection: Connection) -> None:
    """Close a connection without sending anything to the store, which may be down."""
    if not connection.closed:
        connection.invalidate()
        connection.close()
