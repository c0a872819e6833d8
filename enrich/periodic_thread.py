"""A thread that repeats an action until its block ends."""

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
    """Repeats `run_once` every `seconds` in a thread, until its block ends.

    A database error ends only that run, LeaseLost ends the thread. The first run comes after
    `first_seconds`, by default after `seconds`.
    """

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
                # The store may be reachable again at the next run.
                continue
            except Exception:
                # The thread must survive any error: it may keep a lease.
                log.exception("%s", self._thread.name)

    def run_once(self) -> None:
        """Run the action once."""
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
        # Not for ever: the store may be unreachable, and the worker must be able to exit.
        self._thread.join(JOIN_SECONDS)
