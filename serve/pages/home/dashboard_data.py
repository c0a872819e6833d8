"""The data of the first page and of the page of the server, read from the store at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.labels.production import ProductionSummary
from db.queue.coverage import CoverageCount
from db.queue.failed_run import Run, failed_runs
from db.queue.fault import Fault, all_faults
from db.queue.quarantine import Quarantined, count_quarantined, list_quarantine
from db.queue.workers.pause import paused_at
from db.queue.workers.worker_row import all_workers, records_per_second
from db.spec.field import TextField
from db.store.direct.clock import wall_seconds
from db.traffic.counted_answers import read_prediction_counts
from db.traffic.prediction_counts import HOUR_SECONDS
from serve.pages.models.verdict_text import warning_sentences
from serve.pages.over_time.drift_data import read_drift
from serve.pages.over_time.production_data import summary_text
from serve.prediction.catalog import Served
from serve.telemetry.drift import Drift

from .dataset_counts import DatasetCounts, DatasetFacts, labels_since
from .model_card import ModelCard
from .things_to_do import DatasetState, Task, things_to_do
from .verdict import production_alarm
from .worker_panel import WorkerPanel, read_worker_panels

HOURS = 24
# The longest list of failed runs, and of quarantined records.
MOST_TROUBLES = 8


@dataclass(frozen=True)
class Coverage:
    """The progress of one enricher; `seconds_left` is None while no worker is working."""

    count: CoverageCount
    is_old: bool
    seconds_left: float | None


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

    def by_source(self, source: str) -> int:
        """The number of predictions of the teacher, or of the student."""
        return sum(hour.get(source, 0) for hour in self.hours)


@dataclass(frozen=True)
class DatasetPanel:
    """One dataset on the first page, and what to do about it."""

    served: Served
    model_card: ModelCard
    counts: DatasetCounts
    coverage: list[Coverage]
    answered: AnswerCounts
    tasks: list[Task]
    production: ProductionSummary | None = None

    @property
    def production_text(self) -> str:
        """How good the answers of the last weeks turned out to be, "" if nobody has told."""
        is_regression = self.served.spec.kind == "regression"
        return summary_text(self.production, is_regression=is_regression) if self.production else ""

    @property
    def text_field(self) -> str:
        """The only field of a dataset that has one, if it is a text, else ""."""
        fields = self.served.spec.fields
        name = next(iter(fields))
        return name if len(fields) == 1 and isinstance(fields[name], TextField) else ""

    @property
    def counted_at(self) -> float | None:
        """When the enrichments were counted."""
        return max((row.count.made_at for row in self.coverage), default=None)


@dataclass(frozen=True)
class Troubles:
    """What has gone wrong: stopped parts, failed runs, and records in quarantine."""

    faults: list[Fault]
    failures: list[Run]
    quarantined: list[Quarantined]


@dataclass(frozen=True)
class DashboardData:
    """Everything that the pages show; `now` is the time by the store's clock."""

    now: float
    panels: list[DatasetPanel]
    workers: list[WorkerPanel]
    paused_at: float | None
    troubles: Troubles


@dataclass(frozen=True)
class ShownDataset:
    """A dataset to show, with what is read of it less often than the rest."""

    served: Served
    model_card: ModelCard
    facts: DatasetFacts


def read_dashboard_data(
    connection: Connection, shown: Sequence[ShownDataset], coverage: Sequence[CoverageCount]
) -> DashboardData:
    """Read the data of the datasets to be shown, and of all workers."""
    now = wall_seconds(connection)
    faults, failures = all_faults(connection), failed_runs(connection, MOST_TROUBLES)
    workers = read_worker_panels(connection, faults, now)
    rate = records_per_second(all_workers(connection), now)
    reader = _PanelReader(connection, now, rate, faults, workers)
    return DashboardData(
        now=now,
        panels=[reader.read(one, coverage) for one in shown],
        workers=workers,
        paused_at=paused_at(connection),
        troubles=Troubles(
            faults=_without_failures(faults, failures),
            failures=failures,
            quarantined=list_quarantine(connection, limit=MOST_TROUBLES),
        ),
    )


def _without_failures(faults: list[Fault], failures: list[Run]) -> list[Fault]:
    """Return the faults without those of failed runs that are shown as such."""
    shown = {(run.dataset, run.command) for run in failures}
    return [fault for fault in faults if (fault.dataset, fault.subject) not in shown]


@dataclass(frozen=True)
class _PanelReader:
    """Reads the panels of datasets, with what is known of all of them."""

    connection: Connection
    now: float
    rate: float
    faults: Sequence[Fault]
    workers: Sequence[WorkerPanel]

    def read(self, shown: ShownDataset, counts: Sequence[CoverageCount]) -> DatasetPanel:
        answered = self._answered(shown)
        coverage = [
            Coverage(one, one.is_old(self.now), _seconds_left(one.backlog, self.rate))
            for one in counts
            if one.dataset == shown.served.name
        ]
        backlog = max((row.count.backlog for row in coverage), default=0)
        state = self._state(shown, answered.drift, backlog)
        return DatasetPanel(
            shown.served,
            shown.model_card,
            shown.facts.counts,
            coverage,
            answered,
            things_to_do(state),
            shown.facts.production,
        )

    def _state(self, shown: ShownDataset, drift: Drift, backlog: int) -> DatasetState:
        served, facts, metrics = shown.served, shown.facts, shown.model_card.metrics
        counts, production = facts.counts, facts.production
        is_regression = served.spec.kind == "regression"
        return DatasetState(
            name=served.name,
            model=served.model,
            is_regression=is_regression,
            records=counts.records,
            labelled=counts.labelled,
            uncertain=counts.uncertain,
            issues=counts.issues,
            trained_labels=metrics.get("all_rows", metrics.get("rows", 0)),
            new_labels=max(labels_since(counts.labels, metrics), facts.labels_given),
            drift=drift,
            warnings=warning_sentences(metrics),
            alarm=production_alarm(production, is_regression=is_regression),
            quarantined=count_quarantined(self.connection, served.id),
            backlog=backlog,
            has_worker=any(one.condition.state != "silent" for one in self.workers),
            stopped=[fault.subject for fault in self.faults if fault.dataset == served.name],
        )

    def _answered(self, shown: ShownDataset) -> AnswerCounts:
        rows = read_prediction_counts(self.connection, shown.served.id, HOURS)
        current_hour = int(self.now) // HOUR_SECONDS
        hours: list[dict[str, int]] = [{} for _ in range(HOURS)]
        predictions: Counter[str] = Counter()
        for hour, source, prediction, count in rows:
            at = HOURS - 1 - (current_hour - hour)
            if 0 <= at < HOURS:
                hours[at][source] = hours[at].get(source, 0) + count
            predictions[prediction] += count
        drift = read_drift(self.connection, shown.served.id, shown.model_card.model)
        return AnswerCounts(hours, predictions.most_common(), drift)


def _seconds_left(backlog: int, rate: float) -> float | None:
    if not backlog:
        return 0.0
    return backlog / rate if rate else None
