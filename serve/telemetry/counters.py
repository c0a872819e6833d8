"""Counters of requests and predictions: kept under one lock, added up over all web processes."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from db.traffic.web_load import WebLoad

BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Durations(msgspec.Struct):
    """A histogram of durations: one count for each bound, and one for everything above."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds

    def add(self, other: Durations) -> None:
        """Add the durations of another process."""
        self.counts = [
            mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.seconds += other.seconds


class Counts(msgspec.Struct):
    """All counts of one process, or of several."""

    # Keys: (route, method, status); route; (dataset, source).
    requests: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    durations: dict[str, Durations] = msgspec.field(default_factory=dict)
    answers: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    shed: int = 0
    fast_path_errors: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of another process."""
        _add_counts(self.requests, other.requests)  # type: ignore[arg-type]
        _add_counts(self.answers, other.answers)  # type: ignore[arg-type]
        for route, durations in other.durations.items():
            self.durations.setdefault(route, Durations()).add(durations)
        self.shed += other.shed
        self.fast_path_errors += other.fast_path_errors


def _add_counts(counts: dict[object, int], more: dict[object, int]) -> None:
    for name, count in more.items():
        counts[name] = counts.get(name, 0) + count


def total(parts: Iterable[Counts]) -> Counts:
    """Return the sum of several processes' counts."""
    whole = Counts()
    for part in parts:
        whole.add(part)
    return whole


class RequestCounters:
    """Counts this process's requests and predictions, in total and since they were last taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counts()
        self._in_flight = 0
        self._recent_seconds: list[float] = []
        self._recent_since = time.monotonic()
        self._served: defaultdict[tuple[int, str, str], int] = defaultdict(int)

    def begin(self) -> None:
        """Count a request as in flight."""
        with self._lock:
            self._in_flight += 1

    def end(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count a request as answered, no longer in flight."""
        with self._lock:
            self._in_flight -= 1
            self._count_request(route, method, status, seconds)

    def count_request(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count a request that was answered as soon as it came, so that it was never in flight."""
        with self._lock:
            self._count_request(route, method, status, seconds)

    def _count_request(self, route: str, method: str, status: str, seconds: float) -> None:
        request = route, method, status
        self._recent_seconds.append(seconds)
        counts = self._counts
        counts.requests[request] = counts.requests.get(request, 0) + 1
        durations = counts.durations.get(route)
        if durations is None:
            durations = counts.durations[route] = Durations()
        durations.observe(seconds)

    def count_answer(
        self, dataset_id: int, dataset: str, came_from: str, source: str, prediction: str
    ) -> None:
        """Count a prediction that was served.

        `came_from` is "memory" for the response cache, else the same as `source`: "teacher" or
        "student".
        """
        answer = dataset, came_from
        with self._lock:
            answers = self._counts.answers
            answers[answer] = answers.get(answer, 0) + 1
            self._served[dataset_id, source, prediction] += 1

    def count_answers(
        self, dataset_id: int, dataset: str, counts: Mapping[tuple[str, str], int]
    ) -> None:
        """Count many predictions that were served at once, by source and prediction."""
        with self._lock:
            answers = self._counts.answers
            for (source, prediction), count in counts.items():
                answers[dataset, source] = answers.get((dataset, source), 0) + count
                self._served[dataset_id, source, prediction] += count

    def count_shed(self) -> None:
        """Count a request that was turned away because it had waited too long."""
        with self._lock:
            self._counts.shed += 1

    def count_fast_path_error(self) -> None:
        """Count an unexpected error on the fast path, after which the view answered."""
        with self._lock:
            self._counts.fast_path_errors += 1

    @property
    def in_flight(self) -> int:
        """The number of requests that are being answered."""
        return self._in_flight

    def take_load(self) -> WebLoad:
        """Return the load since the previous call."""
        now = time.monotonic()
        with self._lock:
            seconds, self._recent_seconds = self._recent_seconds, []
            since, self._recent_since = self._recent_since, now
            in_flight = self._in_flight
        return WebLoad(len(seconds) / max(now - since, 1e-9), in_flight, p95(seconds))

    def take_served(self) -> dict[tuple[int, str, str], int]:
        """Return the predictions served since the previous call.

        The keys are (dataset id, source, prediction).
        """
        with self._lock:
            served, self._served = self._served, defaultdict(int)
        return served

    def restore_served(self, served: dict[tuple[int, str, str], int]) -> None:
        """Add counts back that were taken and could not be written to the store."""
        with self._lock:
            _add_counts(self._served, served)  # type: ignore[arg-type]

    def counts(self) -> Counts:
        """Return a copy of all counts."""
        with self._lock:
            return total([self._counts])


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile by the nearest-rank method, 0 for an empty list."""
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1] if seconds else 0.0
