"""A thread that does something again and again until its block ends."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from db.errors import LeaseLost

JOIN_SECONDS = 2.0

log = logging.getLogger("veilleuse.worker")


class PeriodicThread:
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
                self.run_once()
            except LeaseLost:
                return
            except SQLAlchemyError:
                # The store may be back the next time.
                continue
            except Exception:
                # Nothing may end what keeps a lease.
                log.exception("%s", self._thread.name)

    def run_once(self) -> None:
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
