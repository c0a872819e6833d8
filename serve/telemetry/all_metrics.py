"""All metrics of `GET /metrics`; imported at the first scrape, since it takes 2 MiB and 15 ms."""

from __future__ import annotations

from serve.store_reader import StoreReader

from .multiprocess import MultiprocessMetrics
from .prometheus import Metrics
from .worker_metrics import WorkerCollector


def make_metrics(process_metrics: MultiprocessMetrics, store_reader: StoreReader) -> Metrics:
    """Return the metrics of the web processes, of the workers and of enrichment."""
    metrics = Metrics(process_metrics)
    metrics.register(WorkerCollector(store_reader))
    return metrics
