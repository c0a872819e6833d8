"""The workers' figures, as they last told them, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.queue.coverage import all_counts
from db.queue.pause import paused_at
from db.queue.worker import SILENT_SECONDS, all_workers
from db.store.dialect import wall_seconds
from serve.store_reader import StoreReader

STATES = ("closed", "opening", "open", "suspended")


class WorkerCollector(Collector):
    """Read when somebody scrapes; while the store is out of reach there are none."""

    def __init__(self, store_reader: StoreReader) -> None:
        self._store_reader = store_reader

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing in advance: the store is not asked before somebody scrapes."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the figures."""
        if not self._store_reader.is_up:
            return
        try:
            connection = self._store_reader.connection()
            yield from _backlog(connection)
            yield from _workers(all_workers(connection), wall_seconds(connection))
            paused = float(paused_at(connection) is not None)
        except SQLAlchemyError:
            return
        yield GaugeMetricFamily("veilleuse_workers_paused", "1 while workers are paused.", paused)


def _backlog(connection: Connection) -> Iterator[GaugeMetricFamily]:
    fresh = GaugeMetricFamily(
        "veilleuse_fresh_records", "Records with a fresh value.", labels=("dataset", "enricher")
    )
    backlog = GaugeMetricFamily(
        "veilleuse_backlog_records", "Records without one.", labels=("dataset", "enricher")
    )
    counted = GaugeMetricFamily(
        "veilleuse_counted_timestamp_seconds",
        "When a worker last counted these records.",
        labels=("dataset", "enricher"),
    )
    for one in all_counts(connection):
        labels = (one.dataset, one.enricher)
        fresh.add_metric(labels, one.fresh)
        backlog.add_metric(labels, one.records - one.fresh)
        counted.add_metric(labels, one.made_at)
    yield from (fresh, backlog, counted)


def _workers(workers: list[dict[str, Any]], now: float) -> Iterator[GaugeMetricFamily]:
    living = [one for one in workers if now - one["seen_at"] < SILENT_SECONDS]
    states = GaugeMetricFamily("veilleuse_workers", "Workers by their gate.", labels=("gate",))
    for state in STATES:
        states.add_metric((state,), sum(one["state"] == state for one in living))
    yield states
    for name, meaning in (
        ("records", "Records done since the worker has started."),
        ("rate", "Records a second while at work."),
        ("open_share", "Share of its time in which the gate was open."),
    ):
        figure = GaugeMetricFamily(f"veilleuse_worker_{name}", meaning, labels=("worker",))
        for one in living:
            figure.add_metric((str(one["id"]),), one[name])
        yield figure
