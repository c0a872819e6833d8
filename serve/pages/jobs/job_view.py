"""What the pages of jobs say: states, steps and shares in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.jobs.job import FAILED, RUNNING, WAITING, Job, JobSummary
from serve.pages.formatting import count, number
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark

KIB = 1024
KINDS = {
    "predict": mark("Predictions for a file"),
    "infer": mark("Draft of a new dataset"),
    "add": mark("New dataset"),
    "train": mark("Training"),
    "labels": mark("Labels that came later"),
}
STATES = {
    "receiving": mark("the file is coming"),
    "waiting": mark("waiting"),
    "running": mark("running"),
    "done": mark("done"),
    "failed": mark("failed"),
}
_BADGES = {"done": "fine", "failed": "bad", "running": "warn"}
STEPS = {
    "": mark("beginning"),
    "reading": mark("reading the file"),
    "inferring": mark("finding the types of the columns"),
    "predicting": mark("predicting the rows"),
    "storing": mark("storing the result"),
    "importing": mark("importing the rows"),
    "training": mark("training a model"),
}


@dataclass(frozen=True)
class JobView:
    """A job in words."""

    job: JobSummary

    @property
    def kind(self) -> str:
        """What the job is for."""
        return _(KINDS.get(self.job.kind, self.job.kind))

    @property
    def state(self) -> str:
        """The state of the job."""
        return _(STATES.get(self.job.state, self.job.state))

    @property
    def badge(self) -> str:
        """The class of the badge with the state."""
        return _BADGES.get(self.job.state, "")

    @property
    def percent(self) -> int | None:
        """How much of the step is done in percent, None if that is not known."""
        if self.job.state != RUNNING or not self.job.total:
            return None
        return min(100 * self.job.done // self.job.total, 100)

    @property
    def step(self) -> str:
        """What is being done, and how much of it."""
        if self.job.state == WAITING:
            return _("waiting for a worker")
        if self.job.state != RUNNING:
            return self.state
        step = _(STEPS.get(self.job.step, self.job.step))
        # Training counts rows once for each fit.
        if self.job.step == "training" or not self.job.done:
            return step
        if not self.job.total:
            return _("{step}: {done} rows").format(step=step, done=count(self.job.done))
        return _("{step}: {done} of {total} rows").format(
            step=step, done=count(self.job.done), total=count(self.job.total)
        )


def size_text(size: int) -> str:
    """Return a number of bytes in KiB or MiB."""
    if size < KIB * KIB:
        return f"{number(size / KIB, 1 if size < 10 * KIB else 0)} KiB"
    return f"{number(size / KIB**2, 1 if size < 10 * KIB**2 else 0)} MiB"


def draft_of(job: Job) -> Mapping[str, Any] | None:
    """Return the draft that a person can make a dataset of, None where there is none."""
    draft: Mapping[str, Any] | None = job.result.get("draft")
    is_open = job.kind == "infer" or (job.kind == "add" and job.state == FAILED)
    return draft if is_open and job.is_finished else None
