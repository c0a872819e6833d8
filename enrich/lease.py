"""Keeps a lease alive while its chunk is worked on."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from db.chunk import Chunk, renew_lease
from db.errors import LeaseLost
from db.store import Store
from db.worker import see_worker


class Lease:
    """Renews a chunk's lease from a thread of its own, so that slow work does not lose it."""

    def __init__(self, store: Store, chunk: Chunk, worker_id: int, seconds: float) -> None:
        self._store = store
        self._chunk = chunk
        self._worker_id = worker_id
        self._seconds = seconds
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def check(self) -> None:
        """Raise LeaseLost where going on would be for nothing."""
        if self._lost.is_set():
            raise LeaseLost

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / 3):
            try:
                with self._store.writing() as connection:
                    renew_lease(connection, self._chunk, self._seconds)
                    see_worker(connection, self._worker_id, "working")
            except LeaseLost:
                self._lost.set()
                return
            except SQLAlchemyError:
                # The store may be back before the lease runs out; if not, the fence decides.
                continue

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
