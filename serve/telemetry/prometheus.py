"""All web processes' figures, as Prometheus reads them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from .counters import BOUNDS_SECONDS, Counts, total
from .multiprocess import MultiprocessMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
AMOUNTS = {
    "cache_answers": "Answers held by the response cache.",
    "cache_bytes": "Approximate bytes held by the response cache.",
    "unseen_queue_inputs": "Unseen inputs that wait to be written to the store.",
    "unseen_queue_dropped": "Unseen inputs that were not recorded, because the queue or the store was full.",
    "requests_in_flight": "Requests that are being answered.",
    "log_dropped": "Log lines for which there was no room.",
}
LEVELS = {
    "generation": "The store's generation that is served; the oldest of all processes'.",
    "store_up": "1 while the store can be read, by every process.",
}


class Metrics:
    """Everything that is told to whoever scrapes."""

    def __init__(self, process_metrics: MultiprocessMetrics) -> None:
        self._registry = CollectorRegistry()
        PlatformCollector(registry=self._registry)
        self.show(WebCollector(process_metrics))

    def show(self, collector: Collector) -> None:
        """Show figures that are read when they are asked for."""
        self._registry.register(collector)

    def render(self) -> bytes:
        """Return all figures."""
        return generate_latest(self._registry)


class WebCollector(Collector):
    """The web processes' figures: counts and amounts added up, of levels the least."""

    def __init__(self, process_metrics: MultiprocessMetrics) -> None:
        self._process_metrics = process_metrics

    def describe(self) -> list[Metric]:
        """Name nothing in advance: there is nothing to be told before somebody scrapes."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        read_all = self._process_metrics.read_all()
        yield from _counts(total(one.counts for one in read_all))
        amounts: Counter[str] = Counter()
        for one in read_all:
            amounts.update(one.amounts)
        for name, meaning in AMOUNTS.items():
            yield GaugeMetricFamily(f"veilleuse_{name}", meaning, amounts[name])
        for name, meaning in LEVELS.items():
            least = min((one.levels[name] for one in read_all if name in one.levels), default=0.0)
            yield GaugeMetricFamily(f"veilleuse_{name}", meaning, least)
        model = GaugeMetricFamily(
            "veilleuse_model", "1 for the model that is served.", labels=("dataset", "model")
        )
        for served in sorted({pair for one in read_all for pair in one.models.items()}):
            model.add_metric(served, 1.0)
        yield model
        yield from _processes(self._process_metrics.pids())


def _counts(counts: Counts) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "veilleuse_requests",
        "Requests by route, method and status.",
        labels=("route", "method", "status"),
    )
    for request, count in sorted(counts.requests.items()):
        requests.add_metric(request, count)
    yield requests
    seconds = HistogramMetricFamily(
        "veilleuse_request_seconds", "Time in the application.", labels=("route",)
    )
    bounds = [*(f"{bound:.6g}" for bound in BOUNDS_SECONDS), "+Inf"]
    for route, durations in sorted(counts.durations.items()):
        rising = [float(count) for count in accumulate(durations.counts)]
        buckets = list(zip(bounds, rising, strict=True))
        seconds.add_metric((route,), buckets, durations.seconds)
    yield seconds
    answers = CounterMetricFamily(
        "veilleuse_answers",
        "Answers by dataset and where they came from.",
        labels=("dataset", "source"),
    )
    for answer, count in sorted(counts.answers.items()):
        answers.add_metric(answer, count)
    yield answers
    shed = "Requests that had waited for too long and got 503."
    yield CounterMetricFamily("veilleuse_shed", shed, counts.shed)


def _processes(pids: list[int]) -> Iterator[Metric]:
    """What the processes take now, and how many there are."""
    memory, cpu, files = 0.0, 0.0, 0.0
    living = 0
    for pid in pids:
        try:
            memory += _memory_bytes(pid)
            cpu += _cpu_seconds(pid)
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            continue
        living += 1
    yield GaugeMetricFamily("veilleuse_web_processes", "Web processes.", living)
    yield GaugeMetricFamily(
        "veilleuse_web_memory_bytes", "Their memory; what they share is counted once.", memory
    )
    yield GaugeMetricFamily("veilleuse_web_cpu_seconds", "CPU time of those that live.", cpu)
    yield GaugeMetricFamily("veilleuse_web_open_files", "Their open descriptors.", files)


def _memory_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds(pid: int) -> float:
    # The kernel's clock of another process's CPU time, by its id.
    return time.clock_gettime((~pid << 3) | 2)
