"""The dashboard's data, read from the store at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

import msgspec
from sqlalchemy import Connection

from db.queue.coverage import CoverageCount, all_counts
from db.queue.fault import Fault, all_faults
from db.queue.gate_history import KEEP_SECONDS, GateAverages, recent_gate_averages
from db.queue.pause import paused_at
from db.queue.quarantine import Quarantined, list_quarantine
from db.queue.run_history import Run, failed_runs
from db.queue.worker_registry import WorkerRow, all_workers, records_per_second
from db.store.dialect import wall_seconds
from db.traffic.prediction_counts import HOUR_SECONDS, read_prediction_counts
from db.traffic.web_load import WebLoad, read_load
from serve.prediction.catalog import Served
from serve.telemetry.counters import BOUNDS_SECONDS, Counts, Durations
from serve.telemetry.drift import Drift, drift_of

from .model_card import ModelCard

HOURS = 24
# The longest list of failed runs, and of quarantined records.
MOST_TROUBLES = 8


@dataclass(frozen=True)
class Coverage:
    """The progress of one enricher; `seconds_left` is None while no worker is working."""

    enricher: str
    fresh: int
    records: int
    seconds_left: float | None

    @property
    def backlog(self) -> int:
        """The number of records without a fresh value."""
        return self.records - self.fresh


@dataclass(frozen=True)
class AnswerCounts:
    """The predictions served in the last 24 hours: by hour and source, and by prediction."""

    hours: list[dict[str, int]]
    predictions: list[tuple[str, int]]
    drift: Drift

    @property
    def total(self) -> int:
        """The number of predictions served."""
        return sum(count for _, count in self.predictions)


@dataclass(frozen=True)
class DatasetPanel:
    """One dataset on the dashboard."""

    served: Served
    model_card: ModelCard
    coverage: list[Coverage]
    counted_at: float | None
    answered: AnswerCounts


@dataclass(frozen=True)
class WorkerPanel:
    """One worker: its latest report, its gate's limits, and its gate's readings of one hour."""

    report: WorkerRow
    limits: dict[str, float]
    hour: list[tuple[float, GateAverages]]

    def readings(self, name: str) -> list[tuple[float, float]]:
        """Return one of the gate's readings over the last hour, as (seconds ago, value)."""
        readings = ((ago, getattr(averages, name)) for ago, averages in self.hour)
        return [(ago, value) for ago, value in readings if value is not None]


@dataclass(frozen=True)
class Traffic:
    """The current load of all machines, and this machine's requests since the start."""

    load: WebLoad
    requests: int
    failed: int
    shed: int
    quantiles: dict[str, float]


@dataclass(frozen=True)
class DashboardData:
    """Everything the dashboard shows; `now` is the time by the store's clock."""

    now: float
    panels: list[DatasetPanel]
    worker_panels: list[WorkerPanel]
    paused_at: float | None
    traffic: Traffic
    failures: list[Run]
    quarantined: list[Quarantined]
    faults: list[Fault]
    span_seconds: float = KEEP_SECONDS


def read_dashboard_data(
    connection: Connection, shown: list[tuple[Served, ModelCard]], counts: Counts
) -> DashboardData:
    """Read the data of the datasets to be shown, and of all workers."""
    now = wall_seconds(connection)
    workers = all_workers(connection)
    rate = records_per_second(workers, now)
    coverage_counts = all_counts(connection)
    failures = failed_runs(connection, MOST_TROUBLES)
    hours = recent_gate_averages(connection)
    return DashboardData(
        now=now,
        panels=[
            DatasetPanel(
                served,
                model_card,
                coverage := _coverage(coverage_counts, served, rate),
                _counted_at(coverage_counts, served) if coverage else None,
                _answered(connection, served, model_card, now),
            )
            for served, model_card in shown
        ],
        worker_panels=[
            WorkerPanel(
                worker,
                msgspec.json.decode(worker.limits or "{}"),
                hours.get(worker.id, []),
            )
            for worker in workers
            if worker.lives(now)
        ],
        paused_at=paused_at(connection),
        traffic=_traffic(read_load(connection) or WebLoad(), counts),
        failures=failures,
        quarantined=list_quarantine(connection, limit=MOST_TROUBLES),
        faults=_without_failures(all_faults(connection), failures),
    )


def _without_failures(faults: list[Fault], failures: list[Run]) -> list[Fault]:
    """Return the faults without those of failed runs that are shown as such."""
    shown = {(run.dataset, run.command) for run in failures}
    return [fault for fault in faults if (fault.dataset, fault.subject) not in shown]


def _counted_at(counts: list[CoverageCount], served: Served) -> float | None:
    """Return when a worker last counted any of the dataset's enrichers."""
    times = [count.made_at for count in counts if count.dataset == served.name]
    return max(times, default=None)


def _coverage(counts: list[CoverageCount], served: Served, rate: float) -> list[Coverage]:
    by_enricher = {count.enricher: count for count in counts if count.dataset == served.name}
    return [
        Coverage(name, count.fresh, count.records, _seconds_left(count, rate))
        for name in (*served.spec.enrichers, "prediction")
        if (count := by_enricher.get(name)) is not None
    ]


def _seconds_left(count: CoverageCount, rate: float) -> float | None:
    backlog = count.records - count.fresh
    if not backlog:
        return 0.0
    return backlog / rate if rate else None


def _answered(
    connection: Connection, served: Served, model_card: ModelCard, now: float
) -> AnswerCounts:
    rows = read_prediction_counts(connection, served.id, HOURS)
    current_hour = int(now) // HOUR_SECONDS
    hours: list[dict[str, int]] = [{} for _ in range(HOURS)]
    predictions: Counter[str] = Counter()
    for hour, source, prediction, count in rows:
        at = HOURS - 1 - (current_hour - hour)
        if 0 <= at < HOURS:
            hours[at][source] = hours[at].get(source, 0) + count
        predictions[prediction] += count
    drift = Drift(None, "There is no model yet.")
    if model_card.model is not None:
        drift = drift_of(model_card.metrics.get("answers", {}), predictions)
    return AnswerCounts(hours, predictions.most_common(), drift)


def _traffic(load: WebLoad, counts: Counts) -> Traffic:
    predict_durations = Durations()
    for route, durations in counts.durations.items():
        if route.startswith("/predict"):
            predict_durations.add(durations)
    failed = sum(
        count for (_, _, status), count in counts.requests.items() if status.startswith("5")
    )
    requests = sum(counts.requests.values())
    return Traffic(load, requests, failed, counts.shed, quantiles(predict_durations))


def quantiles(durations: Durations) -> dict[str, float]:
    """Return upper bounds in seconds of the 50th, 95th and 99th percentile; {} without requests.

    Each is the smallest bound of the histogram that at least that share of requests stayed below.
    """
    total = sum(durations.counts)
    if not total:
        return {}
    bounds = [*BOUNDS_SECONDS, float("inf")]
    cumulative = list(zip(bounds, accumulate(durations.counts), strict=True))
    return {
        name: next(bound for bound, below in cumulative if below >= share * total)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }
