"""The tally: what web processes have answered, counted under one lock and added up over all."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from db.traffic.web_load import WebLoad

BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Durations(msgspec.Struct):
    """How many requests took how long: one number a bound, and one for all above."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds

    def add(self, other: Durations) -> None:
        """Add another process's."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


class Counts(msgspec.Struct):
    """All counts of one process, or of several."""

    # By route, method and status; by route; by dataset and source.
    requests: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    durations: dict[str, Durations] = msgspec.field(default_factory=dict)
    answers: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    shed: int = 0

    def add(self, other: Counts) -> None:
        """Add another process's."""
        for mine, its in ((self.requests, other.requests), (self.answers, other.answers)):
            _add_up(mine, its)  # type: ignore[arg-type]
        for route, durations in other.durations.items():
            self.durations.setdefault(route, Durations()).add(durations)
        self.shed += other.shed


def _add_up(mine: dict[object, int], its: dict[object, int]) -> None:
    for name, count in its.items():
        mine[name] = mine.get(name, 0) + count


def total(parts: Iterable[Counts]) -> Counts:
    """Return the counts of several processes together."""
    whole = Counts()
    for part in parts:
        whole.add(part)
    return whole


class RequestCounters:
    """Counts what this process answers, and what of it has not been taken by others yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._in_flight = 0
        self._recent: list[float] = []
        self._since = time.monotonic()
        self._served: defaultdict[tuple[int, str, str], int] = defaultdict(int)

    def begin(self) -> None:
        """Count a request that has come."""
        with self._lock:
            self._in_flight += 1

    def end(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count it as answered."""
        request = route, method, status
        with self._lock:
            self._in_flight -= 1
            self._recent.append(seconds)
            counts = self._counts
            counts.requests[request] = counts.requests.get(request, 0) + 1
            durations = counts.durations.get(route)
            if durations is None:
                durations = counts.durations[route] = Durations()
            durations.observe(seconds)

    def count_answer(
        self, dataset_id: int, dataset: str, came_from: str, source: str, prediction: str
    ) -> None:
        """Count an answer: where it came from, who had made it, and what it was."""
        answer = dataset, came_from
        with self._lock:
            answers = self._counts.answers
            answers[answer] = answers.get(answer, 0) + 1
            self._served[dataset_id, source, prediction] += 1

    def count_shed(self) -> None:
        """Count a request that had waited for too long."""
        with self._lock:
            self._counts.shed += 1

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return self._in_flight

    def take_load(self) -> WebLoad:
        """Return the load since the last time, and begin anew."""
        now = time.monotonic()
        with self._lock:
            taken, self._recent = self._recent, []
            since, self._since = self._since, now
            in_flight = self._in_flight
        return WebLoad(len(taken) / max(now - since, 1e-9), in_flight, p95(taken))

    def take_served(self) -> dict[tuple[int, str, str], int]:
        """Return how often what was answered, by dataset, source and prediction; begin anew."""
        with self._lock:
            taken, self._served = self._served, defaultdict(int)
        return taken

    def give_served_back(self, taken: dict[tuple[int, str, str], int]) -> None:
        """Count anew what could not be written."""
        with self._lock:
            _add_up(self._served, taken)  # type: ignore[arg-type]

    def counts(self) -> Counts:
        """Return all counts as they are now."""
        with self._lock:
            return total([self._counts])


def p95(seconds: list[float]) -> float:
    """Return what 95 of 100 requests took at most, 0 without any."""
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1] if seconds else 0.0
