"""Metrics of all web processes in Prometheus's text format."""

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

AMOUNTS = {
    "cache_answers": "Predictions held by the response cache.",
    "cache_bytes": "Approximate bytes held by the response cache.",
    "answers_skipped": "Answers not recorded, because they were above ANSWERS_PER_SECOND.",
    "answers_refused": "Answers not recorded, because the store refused them.",
    "unseen_queue_inputs": "Unseen inputs waiting to be written to the store.",
    "unseen_queue_dropped": "Unseen inputs not recorded, because the queue or the store was full.",
    "unseen_queue_refused": "Unseen inputs not recorded, because the store refused them.",
    "unseen_queue_over_share": "Unseen inputs not recorded, because their client has its share.",
    "requests_in_flight": "Requests being answered.",
    "log_dropped": "Log lines dropped because standard output was blocked.",
}
LEVELS = {
    "generation": "Generation of the store that is served; the oldest of all processes.",
    "store_up": "1 while every process can read the store, else 0.",
}


class Metrics:
    """The registry behind `GET /metrics`."""

    def __init__(self, process_metrics: MultiprocessMetrics) -> None:
        self._registry = CollectorRegistry()
        PlatformCollector(registry=self._registry)
        self.register(WebCollector(process_metrics))

    def register(self, collector: Collector) -> None:
        """Add a collector, which is read on every scrape."""
        self._registry.register(collector)

    def render(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class WebCollector(Collector):
    """The metrics of all web processes: the sum of counts and amounts, the minimum of levels."""

    def __init__(self, process_metrics: MultiprocessMetrics) -> None:
        self._process_metrics = process_metrics

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering does not already read the metrics."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all processes."""
        processes = self._process_metrics.read_all()
        yield from _counts(total(process.counts for process in processes))
        amounts: Counter[str] = Counter()
        for process in processes:
            amounts.update(process.amounts)
        for name, help_text in AMOUNTS.items():
            yield GaugeMetricFamily(f"veilleuse_{name}", help_text, amounts[name])
        for name, help_text in LEVELS.items():
            levels = [process.levels[name] for process in processes if name in process.levels]
            yield GaugeMetricFamily(f"veilleuse_{name}", help_text, min(levels, default=0.0))
        model = GaugeMetricFamily(
            "veilleuse_model",
            "1 for each model that is served.",
            labels=("dataset", "model"),
        )
        for served in sorted({pair for process in processes for pair in process.models.items()}):
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
        "veilleuse_request_seconds",
        "Seconds spent in the application per request.",
        labels=("route",),
    )
    bounds = [*(f"{bound:.6g}" for bound in BOUNDS_SECONDS), "+Inf"]
    for route, durations in sorted(counts.durations.items()):
        cumulative = [float(count) for count in accumulate(durations.counts)]
        buckets = list(zip(bounds, cumulative, strict=True))
        seconds.add_metric((route,), buckets, durations.seconds)
    yield seconds
    answers = CounterMetricFamily(
        "veilleuse_answers",
        "Predictions served, by dataset and by where they came from: memory, teacher or student.",
        labels=("dataset", "source"),
    )
    for answer, count in sorted(counts.answers.items()):
        answers.add_metric(answer, count)
    yield answers
    yield CounterMetricFamily(
        "veilleuse_shed",
        "Requests turned away with 503 because they had waited too long.",
        counts.shed,
    )
    yield CounterMetricFamily(
        "veilleuse_fast_path_errors",
        "Unexpected errors on the fast path; the view answered those requests.",
        counts.fast_path_errors,
    )


def _processes(pids: list[int]) -> Iterator[Metric]:
    """Yield the number of running processes, and their memory, CPU time and open files."""
    memory, cpu, files = 0.0, 0.0, 0.0
    running = 0
    for pid in pids:
        try:
            memory += _memory_bytes(pid)
            cpu += _cpu_seconds(pid)
            files += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            continue
        running += 1
    yield GaugeMetricFamily("veilleuse_web_processes", "Running web processes.", running)
    yield GaugeMetricFamily(
        "veilleuse_web_memory_bytes",
        "Memory of the running web processes (PSS: shared pages are counted once).",
        memory,
    )
    yield GaugeMetricFamily(
        "veilleuse_web_cpu_seconds", "CPU time used by the running web processes.", cpu
    )
    yield GaugeMetricFamily(
        "veilleuse_web_open_files", "Open file descriptors of the running web processes.", files
    )


def memory_of(pid: int) -> int:
    """Return the memory of a process in bytes, 0 if it has ended or the system does not tell."""
    try:
        return _memory_bytes(pid)
    except OSError:
        return 0


def _memory_bytes(pid: int) -> int:
    """Return the proportional set size: pages shared by n processes count 1/n each."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds(pid: int) -> float:
    # The id of another process's CPU clock, computed as the kernel does for clock_getcpuclockid().

    return time.clock_gettime((~pid << 3) | 2)
