"""The CPU use of other programs, in cores."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import psutil

from .cgroup import Cgroup
from .process_tree import cpu_seconds

# Samples older than this before the window are dropped.
KEEP_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """CPU seconds used so far: by everything in scope, and by each of our process trees."""

    at: float
    total: float
    own: Mapping[int, float]


def foreign_cores(samples: Collection[Sample], window_seconds: float) -> float | None:
    """Return the cores that other programs used over about the last `window_seconds`.

    None if no sample is at least that much older than the last one.
    """
    last = max(samples, key=lambda sample: sample.at)
    older = [sample for sample in samples if last.at - sample.at >= window_seconds]
    if not older:
        return None
    first = max(older, key=lambda sample: sample.at)
    # A tree that is in only one sample is left out: its total is not the use of this window.
    both = last.own.keys() & first.own.keys()
    own = sum(max(last.own[root] - first.own[root], 0.0) for root in both)
    return max(last.total - first.total - own, 0.0) / (last.at - first.at)


def total_source(scope: str, cgroup: Cgroup) -> Callable[[], float]:
    """Return the function that reads the CPU seconds used by everything in scope.

    The scope "auto" is the container where its CPU is limited, since it may use its share however
    busy the host is. Elsewhere it is the machine.
    """
    group = cgroup.limited_group()
    if scope == "cgroup" or (scope == "auto" and group is not None):
        return lambda: cgroup.cpu_seconds(group)
    return _machine_seconds


def _machine_seconds() -> float:
    used = psutil.cpu_times()
    idle = used.idle + getattr(used, "iowait", 0.0) + getattr(used, "steal", 0.0)
    # User time includes the time of guests already.
    guests = getattr(used, "guest", 0.0) + getattr(used, "guest_nice", 0.0)
    return float(sum(used) - idle - guests)


class Cpu:
    """Takes samples of CPU use and keeps the recent ones."""

    def __init__(self, total: Callable[[], float]) -> None:
        self._total = total
        self._samples: deque[Sample] = deque()

    def read(self, own: Mapping[int, Collection[int]], window_seconds: float) -> float | None:
        """Take a sample and return the cores that other programs used over the last window.

        `own` maps the root of each of our process trees to the tree's process ids.
        """
        used = {root: cpu_seconds(pids) for root, pids in own.items()}
        sample = Sample(time.monotonic(), self._total(), used)
        self._samples.append(sample)
        while sample.at - self._samples[0].at > KEEP_SECONDS + window_seconds:
            self._samples.popleft()
        return foreign_cores(self._samples, window_seconds)
