"""What a worker works with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from db.settings import Settings
from db.store.engine import Store
from enrich.executors.base import Executor, Stopped

from .batch_size import MicroBatch
from .retry import retry_while_unreachable

T = TypeVar("T")

FIRST_PUT_OFF_SECONDS = 5.0
LONGEST_PUT_OFF_SECONDS = 600.0


@dataclass(frozen=True)
class Postponement:
    """A step that cannot be done now: until when, why, and how often in a row."""

    until: float
    reason: str
    times: int

    @property
    def seconds(self) -> float:
        """How long it is still put off."""
        return max(self.until - time.monotonic(), 0.0)


@dataclass
class WorkerContext:
    """A worker's store, settings and executor, and what it has learnt of each step."""

    store: Store
    settings: Settings
    executor: Executor
    worker_id: int
    # Makes metered calls: one process at a time, at the pace that was granted, and never again.
    caller: Executor
    stop: threading.Event = field(default_factory=threading.Event)
    batches: dict[str, MicroBatch] = field(default_factory=dict)
    postponed: dict[str, Postponement] = field(default_factory=dict)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction, again and again while the store is out of reach for a moment."""
        return retry_while_unreachable(
            self.stop, self.settings.lease_seconds, lambda: self.store.write(work)
        )

    def wait(self, seconds: float) -> None:
        """Do nothing for a while; raises Stopped."""
        if self.stop.wait(seconds):
            raise Stopped

    def postpone_step(self, fingerprint: str, reason: str, seconds: float) -> Postponement:
        """Leave a step for later: for so long, or for longer each time where nobody knows."""
        before = self.postponed.get(fingerprint)
        times = before.times + 1 if before else 1
        wait = seconds or min(FIRST_PUT_OFF_SECONDS * 2 ** (times - 1), LONGEST_PUT_OFF_SECONDS)
        self.postponed[fingerprint] = Postponement(time.monotonic() + wait, reason, times)
        return self.postponed[fingerprint]
