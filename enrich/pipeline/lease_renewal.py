"""Leases: a chunk is held for as long as its work takes."""

from __future__ import annotations

import threading
from functools import partial

from db.errors import LeaseLost
from db.queue.chunk import Chunk, renew_lease
from db.store.store import Store
from enrich.periodic_thread import PeriodicThread


class Lease(PeriodicThread):
    """Renews a chunk's lease from a thread, so that slow work does not lose it."""

    def __init__(self, store: Store, chunk: Chunk, seconds: float) -> None:
        super().__init__(seconds / 3, "lease")
        self._store = store
        self._chunk = chunk
        self._seconds = seconds
        self._lost = threading.Event()

    def check(self) -> None:
        """Raise LeaseLost where another worker has the chunk."""
        if self._lost.is_set():
            raise LeaseLost

    def run_once(self) -> None:
        """Renew the lease; where it is lost, the fence has given the chunk to another worker."""
        try:
            self._store.write(partial(renew_lease, chunk=self._chunk, lease_seconds=self._seconds))
        except LeaseLost:
            self._lost.set()
            raise
