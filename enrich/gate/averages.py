"""Averages of the gate's readings over about ten seconds, stored as the history of the gate."""

from __future__ import annotations

import threading
from collections import defaultdict

from db.queue.workers.gate_history import GateAverages
from enrich.gate.machine.reading import Reading

FLUSH_SECONDS = 10.0


class Averages:
    """Sums readings, each weighted by the time for which it held, until they are flushed."""

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._since = self._at = now
        self._open_seconds = 0.0
        # By figure: the sum of value times seconds, and the seconds for which the value was known.
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, reading: Reading, now: float, *, is_open: bool) -> None:
        """Add a reading that has held since the previous one."""
        with self._lock:
            seconds, self._at = now - self._at, now
            self._open_seconds += seconds * is_open
            for name, value in _figures(reading).items():
                if value is not None:
                    self._sums[name][0] += value * seconds
                    self._sums[name][1] += seconds

    def flush(self, now: float) -> GateAverages | None:
        """Return the averages and start over; None before FLUSH_SECONDS have passed."""
        with self._lock:
            if now - self._since < FLUSH_SECONDS or self._at <= self._since:
                return None
            sums = self._sums.items()
            averages = GateAverages(
                self._open_seconds / (self._at - self._since),
                **{name: total / seconds for name, (total, seconds) in sums if seconds},
            )
            self._since, self._open_seconds = self._at, 0.0
            self._sums.clear()
        return averages


def _figures(reading: Reading) -> dict[str, float | None]:
    return {
        "foreign_cores": reading.foreign_cores,
        "memory_share": reading.memory_share,
        "stalled_share": reading.stalled_share,
        "web_requests": reading.web.requests_per_second if reading.web else None,
    }
