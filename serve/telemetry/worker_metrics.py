"""Prometheus metrics of workers and enrichment, read from the store."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from db.queue.coverage import CoverageCount
from db.queue.fault import Fault, all_faults
from db.queue.workers.pause import paused_at
from db.queue.workers.worker_row import WorkerRow, all_workers
from db.store.direct.clock import wall_seconds
from serve.store_reader import StoreReader, StoreUnreachable

from .coverage_reader import CoverageReader

STATES = ("closed", "opening", "open", "suspended")


class WorkerCollector(Collector):
    """Reads the workers' latest reports on every scrape; yields nothing while the store is down."""

    def __init__(self, store_reader: StoreReader) -> None:
        self._store_reader = store_reader
        self._coverage_reader = CoverageReader()

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing, so that registering does not already read the store."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics of enrichment and of workers."""
        try:
            with self._store_reader.reading_directly() as connection:
                yield from _coverage(self._coverage_reader.read(connection))
                yield from _workers(all_workers(connection), wall_seconds(connection))
                yield _faults(all_faults(connection))
                paused = float(paused_at(connection) is not None)
        except StoreUnreachable:
            return
        yield GaugeMetricFamily(
            "veilleuse_workers_paused", "1 while all workers are paused, else 0.", paused
        )


def _coverage(counts: list[CoverageCount]) -> Iterator[GaugeMetricFamily]:
    fresh = GaugeMetricFamily(
        "veilleuse_fresh_records",
        "Records with a fresh enrichment of this enricher.",
        labels=("dataset", "enricher"),
    )
    backlog = GaugeMetricFamily(
        "veilleuse_backlog_records",
        "Records without a fresh enrichment of this enricher.",
        labels=("dataset", "enricher"),
    )
    counted = GaugeMetricFamily(
        "veilleuse_counted_timestamp_seconds",
        "Unix time at which these records were last counted.",
        labels=("dataset", "enricher"),
    )
    for count in counts:
        labels = (count.dataset, count.enricher)
        fresh.add_metric(labels, count.fresh)
        backlog.add_metric(labels, count.backlog)
        counted.add_metric(labels, count.made_at)
    yield from (fresh, backlog, counted)


def _faults(faults: list[Fault]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(
        "veilleuse_dataset_fault",
        "1 for each part of a dataset that is stopped by a fault.",
        labels=("dataset", "subject"),
    )
    for fault in faults:
        found.add_metric((fault.dataset, fault.subject), 1.0)
    return found


def _workers(workers: list[WorkerRow], now: float) -> Iterator[GaugeMetricFamily]:
    running = [worker for worker in workers if worker.lives(now)]
    states = GaugeMetricFamily(
        "veilleuse_workers", "Running workers by the state of their gate.", labels=("gate",)
    )
    for state in STATES:
        states.add_metric((state,), sum(worker.state == state for worker in running))
    yield states
    for name, help_text in (
        ("records", "Records enriched since the worker started."),
        ("rate", "Records enriched per second of work, a moving average."),
        ("open_share", "Share of the worker's time in which the gate was open."),
    ):
        gauge = GaugeMetricFamily(f"veilleuse_worker_{name}", help_text, labels=("worker",))
        for worker in running:
            gauge.add_metric((str(worker.id),), getattr(worker, name))
        yield gauge
