"""CPU that others use, in cores."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import psutil

from .cgroup import Cgroup
from .process_tree import cpu_seconds

MOST_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """CPU seconds used so far by all, and by each of our own process trees."""

    at: float
    total: float
    own: Mapping[int, float]


def foreign_cores(samples: Collection[Sample], window_seconds: float) -> float | None:
    """Return how many cores others used of late, None while no two samples are so far apart."""
    last = max(samples, key=lambda sample: sample.at)
    before = [one for one in samples if last.at - one.at >= window_seconds]
    if not before:
        return None
    first = max(before, key=lambda sample: sample.at)
    # What came or went meanwhile has a past that belongs to no window.
    both = last.own.keys() & first.own.keys()
    own = sum(max(last.own[root] - first.own[root], 0.0) for root in both)
    return max(last.total - first.total - own, 0.0) / (last.at - first.at)


def total_source(scope: str, cgroup: Cgroup) -> Callable[[], float]:
    """Return where the CPU of all is read.

    A container with limited CPU may use what it was given, whatever its host's others do; any
    other shares the machine with them.
    """
    group = cgroup.limited_group()
    if scope == "cgroup" or (scope == "auto" and group is not None):
        return lambda: cgroup.cpu_seconds(group)
    return _machine_seconds


def _machine_seconds() -> float:
    used = psutil.cpu_times()
    idle = used.idle + getattr(used, "iowait", 0.0) + getattr(used, "steal", 0.0)
    # The time of a guest is in the user's already.
    guests = getattr(used, "guest", 0.0) + getattr(used, "guest_nice", 0.0)
    return float(sum(used) - idle - guests)


class Cpu:
    """The samples of the last moments."""

    def __init__(self, total: Callable[[], float]) -> None:
        self._total = total
        self._samples: deque[Sample] = deque()

    def read(self, own: Mapping[int, Collection[int]], window_seconds: float) -> float | None:
        """Take a sample; returns the cores that others used over the window that ends now.

        `own` holds the processes of each of our trees, by its root.
        """
        used = {root: cpu_seconds(pids) for root, pids in own.items()}
        sample = Sample(time.monotonic(), self._total(), used)
        self._samples.append(sample)
        while sample.at - self._samples[0].at > MOST_SECONDS + window_seconds:
            self._samples.popleft()
        return foreign_cores(self._samples, window_seconds)
