"""Averages: what the gate has read over ten seconds, for whoever asks later why it was closed."""

from __future__ import annotations

import threading
from collections import defaultdict

from db.queue.gate_history import GateAverages
from enrich.gate.machine.reading import Reading

TAKE_SECONDS = 10.0


class Averages:
    """Adds readings up, each for as long as it held, until they are taken."""

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._since = self._at = now
        self._open_seconds = 0.0
        # By figure: its sum over time, and over how much time.
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(self, reading: Reading, now: float, *, is_open: bool) -> None:
        """Add a reading that has held since the one before."""
        with self._lock:
            seconds, self._at = now - self._at, now
            self._open_seconds += seconds * is_open
            for name, value in _figures(reading).items():
                if value is not None:
                    self._sums[name][0] += value * seconds
                    self._sums[name][1] += seconds

    def flush(self, now: float) -> GateAverages | None:
        """Return the means and begin anew, None while they are of too short a time."""
        with self._lock:
            if now - self._since < TAKE_SECONDS or self._at <= self._since:
                return None
            sums = self._sums.items()
            means = GateAverages(
                self._open_seconds / (self._at - self._since),
                **{name: total / seconds for name, (total, seconds) in sums if seconds},
            )
            self._since, self._open_seconds = self._at, 0.0
            self._sums.clear()
        return means


def _figures(reading: Reading) -> dict[str, float | None]:
    return {
        "foreign_cores": reading.foreign_cores,
        "memory_share": reading.memory_share,
        "stalled_share": reading.stalled_share,
        "web_requests": reading.web.requests_per_second if reading.web else None,
    }
