"""Workers as pages show them: their condition, and the readings of their gates with its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from db.admin.worker_condition import WorkerCondition, condition_of
from db.queue.fault import Fault
from db.queue.workers.gate_history import GateAverages, recent_gate_averages
from db.queue.workers.worker_row import WorkerRow, all_workers
from serve.pages.formatting import duration, number
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark

# A worker that has been silent for a day is history.
LONGEST_SILENCE_SECONDS = 86_400.0
MOST_SILENT = 3
# A limit of so many requests per second stands for none.
NO_LIMIT = 1000.0


@dataclass(frozen=True)
class Reading:
    """One reading of the gate: its unit, and the names of its limits."""

    name: str
    title: str
    unit: str = ""
    factor: float = 1.0
    opens: str = ""
    closes: str = ""
    # Whether work waits while the reading is low, as that of free memory, rather than high.
    is_floor: bool = False


READINGS = (
    Reading("open_share", mark("Gate open"), "%", 100),
    Reading(
        "foreign_cores",
        mark("CPU cores used by other programs"),
        "",
        1,
        "open_cores",
        "close_cores",
    ),
    Reading(
        "memory_share", mark("Memory free"), "%", 100, "open_memory", "close_memory", is_floor=True
    ),
    Reading("web_requests", mark("Web requests per second"), "", 1, "", "web_requests"),
    Reading("stalled_share", mark("Time in which programs had to wait"), "%", 100, "", "pressure"),
)


@dataclass(frozen=True)
class ReadingChart:
    """One reading over the last hour, as (seconds ago, value), with its limits in words."""

    title: str
    points: list[tuple[float, float]]
    latest: str
    top: float
    limits: list[float]
    limits_text: str


@dataclass(frozen=True)
class WorkerPanel:
    """One worker: its latest report and condition, its gate's limits, and one hour of readings."""

    report: WorkerRow
    condition: WorkerCondition
    limits: dict[str, float]
    hour: list[tuple[float, GateAverages]]

    @property
    def charts(self) -> list[ReadingChart]:
        """The charts of those readings that the gate of this worker takes."""
        charts = (self._chart(reading) for reading in READINGS)
        return [chart for chart in charts if chart.points]

    def _chart(self, reading: Reading) -> ReadingChart:
        values = ((ago, getattr(averages, reading.name)) for ago, averages in self.hour)
        points = [(ago, value) for ago, value in values if value is not None]
        limits = [
            self.limits[name]
            for name in (reading.opens, reading.closes)
            if self.limits.get(name, NO_LIMIT) < NO_LIMIT
        ]
        highest = max([*(value for _, value in points), *(1.2 * limit for limit in limits), 0.0])
        return ReadingChart(
            title=_(reading.title),
            points=points,
            latest=_figure(points[-1][1], reading) if points else "",
            top=1.0 if reading.unit == "%" else highest,
            limits=limits,
            limits_text=limits_text(reading, self.limits),
        )


def _figure(value: float, reading: Reading) -> str:
    if reading.unit:
        return f"{number(value * reading.factor, 0)} {reading.unit}"
    return number(value, 1)


def limits_text(reading: Reading, limits: dict[str, float]) -> str:
    """Return when the gate opens and closes by a reading, "" if it has no limit."""
    opens, closes = limits.get(reading.opens), limits.get(reading.closes, NO_LIMIT)
    if closes >= NO_LIMIT:
        return ""
    shown = {"closes": _figure(closes, reading)}
    if opens is None:
        return _("closes from {closes} on").format(**shown)
    shown["opens"] = _figure(opens, reading)
    if reading.is_floor:
        return _("opens above {opens}, closes below {closes}").format(**shown)
    return _("opens below {opens}, closes above {closes}").format(**shown)


# By state of the gate: its name, and what the worker does.
GATE_WORDS = {
    "open": mark("open"),
    "suspended": mark("suspended"),
    "opening": mark("opening"),
    "closed": mark("closed"),
    "starting": mark("starting"),
}
_STATES = {
    "open": mark("is working"),
    "suspended": mark("is suspended"),
    "opening": mark("is about to start"),
    "closed": mark("is waiting"),
}


def worker_sentence(panel: WorkerPanel, now: float, *, shows_rows: bool) -> str:
    """Return in one sentence what a worker does, and for how long it has done so."""
    report, condition = panel.report, panel.condition
    named = {"worker": report.id, "host": report.host}
    if condition.state == "silent":
        silent = duration(abs(now - report.seen_at))
        text = _("Worker {worker} on {host} has been silent for {duration}; it may have died")
        return text.format(**named, duration=silent)
    if condition.state == "failing":
        reason = condition.reason if shows_rows else _("its log says why")
        return _("Worker {worker} on {host} is failing: {reason}").format(**named, reason=reason)
    state = _(_STATES.get(report.state, mark("is starting")))
    text = _("Worker {worker} on {host} {state}, for {duration}")
    text = text.format(**named, state=state, duration=duration(max(now - report.since, 0)))
    return f"{text}: {report.reason}" if report.reason else text


def read_worker_panels(
    connection: Connection, faults: Sequence[Fault], now: float
) -> list[WorkerPanel]:
    """Return the workers that report, and a few that have recently fallen silent."""
    hours = recent_gate_averages(connection)
    panels = [
        WorkerPanel(
            worker,
            condition_of(worker, faults, now),
            msgspec.json.decode(worker.limits or "{}"),
            hours.get(worker.id, []),
        )
        for worker in all_workers(connection)
        if abs(now - worker.seen_at) < LONGEST_SILENCE_SECONDS
    ]
    silent = [panel for panel in panels if panel.condition.state == "silent"]
    silent.sort(key=lambda panel: -panel.report.seen_at)
    return [panel for panel in panels if panel not in silent] + silent[:MOST_SILENT]
