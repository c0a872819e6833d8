"""A worker's statistics: records done, their rate, and the last error."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass

# The weight of the newest chunk in the rate, a moving average.
WEIGHT = 0.2


@dataclass(frozen=True)
class WorkerTotals:
    """Records done, records per second while at work, and the last error with its time."""

    records: int = 0
    rate: float = 0.0
    error: str | None = None
    error_at: float | None = None


class WorkerStats:
    """Statistics that the working thread updates and the heartbeat's thread reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals = WorkerTotals()

    def count(self, records: int, seconds: float) -> None:
        """Add a chunk: how many records, in how many seconds."""
        rate = records / max(seconds, 1e-6)
        with self._lock:
            before = self._totals
            mean = rate if not before.records else before.rate + WEIGHT * (rate - before.rate)
            self._totals = dataclasses.replace(before, records=before.records + records, rate=mean)

    def fail(self, message: str) -> None:
        """Keep an error as the last one."""
        with self._lock:
            self._totals = dataclasses.replace(
                self._totals, error=" ".join(message.split()), error_at=time.time()
            )

    def read(self) -> WorkerTotals:
        """Return the statistics so far."""
        with self._lock:
            return self._totals
