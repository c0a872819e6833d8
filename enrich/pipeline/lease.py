"""Leases: a chunk is held for as long as its work takes."""

from __future__ import annotations

import logging
import threading
from functools import partial
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from db.errors import LeaseLost
from db.queue.chunk import Chunk, renew_lease
from db.store.engine import Store

JOIN_SECONDS = 2.0

log = logging.getLogger("veilleuse.worker")


class Repeater:
    """Does something again and again in a thread of its own, until its block ends."""

    def __init__(self, seconds: float, name: str, first_seconds: float | None = None) -> None:
        self._pause = seconds
        self._first_seconds = seconds if first_seconds is None else first_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def _repeat(self) -> None:
        pause = self._first_seconds
        while not self._ended.wait(pause):
            pause = self._pause
            try:
                self.again()
            except LeaseLost:
                return
            except SQLAlchemyError:
                # The store may be back the next time.
                continue
            except Exception:
                # Nothing may end what keeps a lease.
                log.exception("%s", self._thread.name)

    def again(self) -> None:
        """Do it."""
        raise NotImplementedError

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
        # A store out of reach must not keep a worker from ending.
        self._thread.join(JOIN_SECONDS)


class Lease(Repeater):
    """Renews a chunk's lease, so that slow work does not lose it."""

    def __init__(self, store: Store, chunk: Chunk, seconds: float) -> None:
        super().__init__(seconds / 3, "lease")
        self._store = store
        self._chunk = chunk
        self._seconds = seconds
        self._lost = threading.Event()

    def check(self) -> None:
        """Raise LeaseLost where going on would be for nothing."""
        if self._lost.is_set():
            raise LeaseLost

    def again(self) -> None:
        """Renew it; where it is lost already, the fence has decided."""
        try:
            self._store.write(partial(renew_lease, held=self._chunk, lease_seconds=self._seconds))
        except LeaseLost:
            self._lost.set()
            raise
