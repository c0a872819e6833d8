"""The situation: what the dashboard shows, read from the store at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import msgspec
from sqlalchemy import Connection

from db.queue.coverage import CoverageCount, all_counts
from db.queue.gate_history import KEEP_SECONDS, GateAverages, last_hour
from db.queue.pause import paused_at
from db.queue.quarantine import Quarantined, list_quarantine
from db.queue.run import Run, failed_runs
from db.queue.worker import SILENT_SECONDS, all_workers, rate_of
from db.store.dialect import wall_seconds
from db.traffic.prediction_counts import HOUR_SECONDS, all_served
from db.traffic.web_load import WebLoad, read_load
from serve.prediction.catalog import Served
from serve.telemetry.counters import BOUNDS_SECONDS, Counts, Durations
from serve.telemetry.drift import Drift, drift_of

from .model_card import ModelCard

HOURS = 24
MOST_TROUBLES = 8


@dataclass(frozen=True)
class Coverage:
    """How far one enricher has come; `seconds_left` is None while nobody works."""

    enricher: str
    fresh: int
    records: int
    seconds_left: float | None

    @property
    def backlog(self) -> int:
        """How many records lack a fresh value."""
        return self.records - self.fresh


@dataclass(frozen=True)
class AnswerCounts:
    """What was answered in the last day: by hour and source, and by prediction."""

    hours: list[dict[str, int]]
    predictions: list[tuple[str, int]]
    drift: Drift

    @property
    def total(self) -> int:
        """How many answers."""
        return sum(count for _, count in self.predictions)


@dataclass(frozen=True)
class DatasetPanel:
    """A dataset on the dashboard."""

    served: Served
    model_card: ModelCard
    coverage: list[Coverage]
    counted_at: float | None
    answered: AnswerCounts


@dataclass(frozen=True)
class WorkerPanel:
    """A worker, and what its gate has read."""

    report: dict[str, Any]
    limits: dict[str, float]
    hour: list[tuple[float, GateAverages]]

    def figure(self, name: str) -> list[tuple[float, float]]:
        """Return one of the figures of the last hour: how many seconds ago, and how much."""
        given = ((ago, getattr(means, name)) for ago, means in self.hour)
        return [(ago, value) for ago, value in given if value is not None]


@dataclass(frozen=True)
class Traffic:
    """The requests of now, and how long those took that this machine has answered."""

    load: WebLoad
    requests: int
    failed: int
    shed: int
    quantiles: dict[str, float]


@dataclass(frozen=True)
class DashboardData:
    """All of it, as of `now` by the store's clock."""

    now: float
    panels: list[DatasetPanel]
    worker_panels: list[WorkerPanel]
    paused_at: float | None
    traffic: Traffic
    failures: list[Run]
    quarantined: list[Quarantined]
    span_seconds: float = KEEP_SECONDS


def read_dashboard_data(
    connection: Connection, shown: list[tuple[Served, ModelCard]], counts: Counts
) -> DashboardData:
    """Read everything that changes all the time."""
    now = wall_seconds(connection)
    workers: list[dict[str, Any]] = all_workers(connection)
    rate = rate_of(workers, now)
    counted = all_counts(connection)
    hours = last_hour(connection)
    return DashboardData(
        now=now,
        panels=[
            DatasetPanel(
                served,
                model_card,
                coverage := _coverage(counted, served, rate),
                max((it.made_at for it in counted if it.dataset == served.name), default=None)
                if coverage
                else None,
                _answered(connection, served, model_card, now),
            )
            for served, model_card in shown
        ],
        worker_panels=[
            WorkerPanel(one, msgspec.json.decode(one["limits"] or "{}"), hours.get(one["id"], []))
            for one in workers
            if now - one["seen_at"] < SILENT_SECONDS
        ],
        paused_at=paused_at(connection),
        traffic=_traffic(read_load(connection) or WebLoad(), counts),
        failures=failed_runs(connection, MOST_TROUBLES),
        quarantined=list_quarantine(connection, most=MOST_TROUBLES),
    )


def _coverage(counted: list[CoverageCount], served: Served, rate: float) -> list[Coverage]:
    mine = {one.enricher: one for one in counted if one.dataset == served.name}
    order = [*served.spec.enrichers, "prediction"]
    return [
        Coverage(name, mine[name].fresh, mine[name].records, _left(mine[name], rate))
        for name in order
        if name in mine
    ]


def _left(count: CoverageCount, rate: float) -> float | None:
    backlog = count.records - count.fresh
    if not backlog:
        return 0.0
    return backlog / rate if rate else None


def _answered(
    connection: Connection, served: Served, model_card: ModelCard, now: float
) -> AnswerCounts:
    rows = all_served(connection, served.id, HOURS)
    last = int(now) // HOUR_SECONDS
    hours: list[dict[str, int]] = [{} for _ in range(HOURS)]
    predictions: Counter[str] = Counter()
    for hour, source, prediction, count in rows:
        at = HOURS - 1 - (last - hour)
        if 0 <= at < HOURS:
            hours[at][source] = hours[at].get(source, 0) + count
        predictions[prediction] += count
    drift = Drift(None, "there is no model yet")
    if model_card.model is not None:
        drift = drift_of(model_card.metrics.get("answers", {}), predictions)
    return AnswerCounts(hours, predictions.most_common(), drift)


def _traffic(load: WebLoad, counts: Counts) -> Traffic:
    asked = Durations()
    for route, durations in counts.durations.items():
        if route.startswith("/predict"):
            asked.add(durations)
    failed = sum(
        count for (_, _, status), count in counts.requests.items() if status.startswith("5")
    )
    return Traffic(load, sum(counts.requests.values()), failed, counts.shed, quantiles(asked))


def quantiles(durations: Durations) -> dict[str, float]:
    """Return the bound in seconds below which half, 95 % and 99 % of the requests lay."""
    total = sum(durations.counts)
    if not total:
        return {}
    bounds = [*BOUNDS_SECONDS, float("inf")]
    rising = list(zip(bounds, accumulate(durations.counts), strict=True))
    return {
        name: next(bound for bound, below in rising if below >= share * total)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }
