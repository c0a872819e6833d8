"""The tally of a worker: what it has done, how fast, and what went wrong last."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass

# How much the last chunk weighs in the rate.
WEIGHT = 0.2


@dataclass(frozen=True)
class WorkerTotals:
    """Records done, how many a second while at work, and the last error."""

    records: int = 0
    rate: float = 0.0
    error: str | None = None
    error_at: float | None = None


class WorkerStats:
    """Counted by the thread that works, and read by the one that tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures = WorkerTotals()

    def count(self, records: int, seconds: float) -> None:
        """Add what one chunk gave."""
        rate = records / max(seconds, 1e-6)
        with self._lock:
            before = self._figures
            mean = rate if not before.records else before.rate + WEIGHT * (rate - before.rate)
            self._figures = dataclasses.replace(before, records=before.records + records, rate=mean)

    def fail(self, words: str) -> None:
        """Keep the last error."""
        with self._lock:
            self._figures = dataclasses.replace(
                self._figures, error=" ".join(words.split()), error_at=time.time()
            )

    def read(self) -> WorkerTotals:
        """Return what has been counted so far."""
        with self._lock:
            return self._figures
