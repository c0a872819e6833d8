"""The CPU use of other programs, in cores."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from .cgroup import Cgroup
from .process_tree import cpu_seconds, niced_seconds

# Samples older than this before the window are dropped.
KEEP_SECONDS = 2.0
# The kernel counts nice time in ticks of a hundredth of a second, too coarse for a shorter time.
NICE_SECONDS = 1.0


@dataclass(frozen=True)
class Sample:
    """CPU seconds used so far: by everything in scope, and by each of our process trees.

    `nice` and `own_nice` are those parts of it that were used at a nice value above 0, if they do
    not count.
    """

    at: float
    total: float
    own: Mapping[int, float]
    nice: float = 0.0
    own_nice: Mapping[int, float] = field(default_factory=dict)


def foreign_cores(samples: Collection[Sample], window_seconds: float) -> float | None:
    """Return the cores that other programs used over about the last `window_seconds`.

    None if no sample is at least that much older than the last one.
    """
    last = max(samples, key=lambda sample: sample.at)
    older = [sample for sample in samples if last.at - sample.at >= window_seconds]
    if not older:
        return None
    first = max(older, key=lambda sample: sample.at)
    foreign = max(last.total - first.total - _rise(first.own, last.own), 0.0)
    return max(foreign / (last.at - first.at) - foreign_nice_cores(samples), 0.0)


def foreign_nice_cores(samples: Collection[Sample]) -> float:
    """Return the cores that other programs used at a nice value above 0, 0 if it is not known."""
    last = max(samples, key=lambda sample: sample.at)
    older = [sample for sample in samples if last.at - sample.at >= NICE_SECONDS]
    if not older:
        return 0.0
    first = max(older, key=lambda sample: sample.at)
    own = _rise(first.own_nice, last.own_nice)
    return max(last.nice - first.nice - own, 0.0) / (last.at - first.at)


def _rise(first: Mapping[int, float], last: Mapping[int, float]) -> float:
    # A tree that is in only one sample is left out: its total is not the use of this window.
    return sum(max(last[root] - first[root], 0.0) for root in last.keys() & first.keys())


def total_source(scope: str, cgroup: Cgroup) -> Callable[[], float]:
    """Return the function that reads the CPU seconds used by everything in scope.

    The scope "auto" is the container where its CPU is limited, since it may use its share however
    busy the host is. Elsewhere it is the machine.
    """
    group = cgroup.limited_group()
    if _counts_container(scope, group):
        return lambda: cgroup.cpu_seconds(group)
    return _machine_seconds


def nice_source(scope: str, cgroup: Cgroup) -> Callable[[], float]:
    """Return the function that reads the CPU seconds used in scope at a nice value above 0."""
    group = cgroup.limited_group()
    if _counts_container(scope, group):
        return lambda: cgroup.nice_seconds(group)
    return lambda: float(psutil.cpu_times().nice)


def _counts_container(scope: str, group: Path | None) -> bool:
    return scope == "cgroup" or (scope == "auto" and group is not None)


def _machine_seconds() -> float:
    used = psutil.cpu_times()
    idle = used.idle + getattr(used, "iowait", 0.0) + getattr(used, "steal", 0.0)
    # User time includes the time of guests already.
    guests = getattr(used, "guest", 0.0) + getattr(used, "guest_nice", 0.0)
    return float(sum(used) - idle - guests)


class Cpu:
    """Takes samples of CPU use and keeps the recent ones.

    `nice` reads the CPU seconds that do not count; None if all count.
    """

    def __init__(self, total: Callable[[], float], nice: Callable[[], float] | None = None) -> None:
        self._total = total
        self._nice = nice
        self._samples: deque[Sample] = deque()

    def read(self, own: Mapping[int, Collection[int]], window_seconds: float) -> float | None:
        """Take a sample and return the cores that other programs used over the last window.

        `own` maps the root of each of our process trees to the tree's process ids.
        """
        used = {root: cpu_seconds(pids) for root, pids in own.items()}
        sample = Sample(time.monotonic(), self._total(), used, *self._read_nice(own))
        self._samples.append(sample)
        while sample.at - self._samples[0].at > KEEP_SECONDS + window_seconds:
            self._samples.popleft()
        return foreign_cores(self._samples, window_seconds)

    def _read_nice(self, own: Mapping[int, Collection[int]]) -> tuple[float, dict[int, float]]:
        if self._nice is None:
            return 0.0, {}
        return self._nice(), {root: niced_seconds(pids) for root, pids in own.items()}
