"""Figures about this process, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """Counters that requests move, and gauges that are read when someone asks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._requests = Counter(
            "veilleuse_requests",
            "Requests by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "veilleuse_request_seconds",
            "Time in the application.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "veilleuse_answers",
            "Answers by dataset and where they came from.",
            ("dataset", "source"),
            registry=self._registry,
        )

    def count_request(self, route: str, method: str, status: str, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, method, status).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answer(self, dataset: str, source: str) -> None:
        """Count one answer, from memory, teacher or student."""
        self._answers.labels(dataset, source).inc()

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a number as it is when it is asked for."""
        Gauge(f"veilleuse_{name}", meaning, registry=self._registry).set_function(read)

    def show(self, collector: Collector) -> None:
        """Show figures that are read when they are asked for."""
        self._registry.register(collector)

    def render(self) -> bytes:
        """Return all figures."""
        return generate_latest(self._registry)
