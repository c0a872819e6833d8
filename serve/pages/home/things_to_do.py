"""What a person should do next about a dataset and its workers: decisions on counts alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from serve.pages.formatting import count, number
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import ngettext
from serve.pages.over_time.drift_data import window_text
from serve.telemetry.drift import Drift

from .dataset_counts import MOST_LISTED, count_text
from .worker_panel import WorkerPanel

# "bad": something is wrong. "warn": something may be. "todo": it would make the model better.
Level: TypeAlias = Literal["bad", "warn", "todo"]

# A retraining is suggested for so many new labels, or for fewer if they are a tenth of all.
MANY_NEW_LABELS = 50
TENTH = 0.1


@dataclass(frozen=True)
class Task:
    """One thing to do; `path` is the page for it, `command` the command, "" if there is none.

    `trains` tells that a button can do what the command does: train a model.
    """

    level: Level
    text: str
    path: str = ""
    command: str = ""
    trains: bool = False


@dataclass(frozen=True, kw_only=True)
class DatasetState:
    """What the decisions need to know of a dataset; `model` is "" while there is none."""

    name: str
    model: str = ""
    is_regression: bool = False
    records: int = 0
    labelled: int = 0
    # Records without a label whose prediction is uncertain.
    uncertain: int = 0
    issues: int = 0
    trained_labels: int = 0
    new_labels: int = 0
    drift: Drift | None = None
    warnings: Sequence[str] = ()
    # What a comparison of served predictions with later labels has found, "" if all is well.
    alarm: str = ""
    quarantined: int = 0
    backlog: int = 0
    has_worker: bool = True
    stopped: Sequence[str] = ()


def things_to_do(state: DatasetState) -> list[Task]:
    """Return what to do about a dataset, the most urgent first."""
    stopped = [
        Task("bad", _("{subject} is stopped: see why").format(subject=subject), "/server#troubles")
        for subject in state.stopped
    ]
    if not state.model:
        return [*stopped, *_first_steps(state)]
    return [*stopped, *_repairs(state), *_improvements(state)]


def _first_steps(state: DatasetState) -> Iterator[Task]:
    """Yield what leads to a first model: rows, labels, training."""
    if not state.records:
        command = f"python -m db import {state.name} FILE"
        yield Task("todo", _("Import rows: there are none yet"), command=command)
    elif not state.labelled:
        text = ngettext(
            "Give labels: the only record has none",
            "Give labels: none of the {count} records has one",
            state.records,
        )
        yield Task("todo", text.format(count=count(state.records)), f"/label/{state.name}")
    else:
        text = ngettext(
            "Train the first model: {count} record has a label",
            "Train the first model: {count} records have a label",
            state.labelled,
        )
        yield _training(state.name, text.format(count=count(state.labelled)))


def _training(name: str, text: str) -> Task:
    return Task("todo", text, command=f"python -m enrich train {name}", trains=True)


def _repairs(state: DatasetState) -> Iterator[Task]:
    """Yield what makes the predictions of a dataset worse than they could be."""
    for warning in state.warnings:
        yield Task("bad", warning, f"/models/{state.name}")
    if state.alarm:
        yield Task("bad", state.alarm, f"/production/{state.name}")
    if state.drift is not None and state.drift.level in {"warn", "bad"}:
        yield _look_at_drift(state.name, state.drift)
    if state.backlog and not state.has_worker:
        text = ngettext(
            "{count} record waits, and no worker is running: start one",
            "{count} records wait, and no worker is running: start one",
            state.backlog,
        )
        yield Task("warn", text.format(count=count(state.backlog)), command="python -m enrich run")
    if state.quarantined:
        text = ngettext(
            "{count} record is in quarantine: see why",
            "{count} records are in quarantine: see why",
            state.quarantined,
        )
        yield Task("warn", text.format(count=count(state.quarantined)), "/server#troubles")


def _look_at_drift(name: str, drift: Drift) -> Task:
    text = _("Predictions of {window} differ from training (PSI {index}): see since when")
    text = text.format(window=window_text(drift.hours), index=number(drift.index, 2))
    return Task("bad" if drift.level == "bad" else "warn", text, f"/over-time/{name}")


def _improvements(state: DatasetState) -> Iterator[Task]:
    """Yield what would make the next model better."""
    if should_retrain(state.trained_labels, state.new_labels):
        text = ngettext(
            "Retrain: {count} label since {model}",
            "Retrain: {count} labels since {model}",
            state.new_labels,
        )
        text = text.format(count=count(state.new_labels), model=state.model)
        yield _training(state.name, text)
    if state.issues:
        text = ngettext(
            "Check {count} label that is probably wrong",
            "Check {count} labels that are probably wrong",
            state.issues,
        )
        path = f"/label/{state.name}?order=issues"
        yield Task("todo", text.format(count=count_text(state.issues, MOST_LISTED)), path)
    if state.uncertain:
        text = ngettext(
            "Label {count} record that the model is unsure of",
            "Label some of the records that the model is unsure of: there are {count}",
            state.uncertain,
        )
        shown = count_text(state.uncertain, MOST_LISTED)
        yield Task("todo", text.format(count=shown), f"/label/{state.name}?order=uncertain")
    elif state.is_regression and state.records > state.labelled:
        text = _("Label some of the {count} records without a label")
        unlabelled = state.records - state.labelled
        yield Task("todo", text.format(count=count(unlabelled)), f"/label/{state.name}")


def server_tasks(workers: Sequence[WorkerPanel], *, shows_rows: bool) -> list[Task]:
    """Return what to do about failing workers; `shows_rows` allows to show reasons.

    A reason may quote inputs.
    """
    tasks = []
    for worker in workers:
        if worker.condition.state == "failing":
            named = {
                "worker": worker.report.id,
                **_reason_and_remedy(worker, shows_rows=shows_rows),
            }
            text = _("Worker {worker} is failing: {reason}; {remedy}").format(**named)
            tasks.append(Task("bad", text, "/server#workers"))
    return tasks


def _reason_and_remedy(worker: WorkerPanel, *, shows_rows: bool) -> dict[str, str]:
    if shows_rows:
        return {"reason": worker.condition.reason, "remedy": worker.condition.remedy}
    return {"reason": _("its log says why"), "remedy": _("it tries again by itself")}


def should_retrain(trained_labels: int, new_labels: int) -> bool:
    """Return whether there are so many new labels that another model will probably be better."""
    return new_labels > 0 and new_labels >= min(MANY_NEW_LABELS, TENTH * trained_labels)
