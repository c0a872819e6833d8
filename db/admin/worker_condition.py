"""The condition of a worker: it works, waits, fails or is silent; and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from db.queue.fault import LONGEST_WAIT_SECONDS, Fault
from db.queue.workers.worker_row import WorkerRow

State: TypeAlias = Literal["working", "waiting", "failing", "silent"]

# A worker reports every ten seconds, so that three reports are missing.
SILENT_SECONDS = 30.0
# An error is taken for a lasting one for this time, ...
RECENT_SECONDS = 120.0
# ... and while something is stopped for as long as the next try may take.
LASTING_SECONDS = LONGEST_WAIT_SECONDS + RECENT_SECONDS
LOOK = "its log says more; it tries again by itself"


@dataclass(frozen=True)
class WorkerCondition:
    """The state of a worker; `reason` and `remedy` are "" unless something is wrong."""

    state: State
    reason: str = ""
    remedy: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether a person should do something."""
        return self.state in {"failing", "silent"}


def condition_of(worker: WorkerRow, faults: Sequence[Fault], now: float) -> WorkerCondition:
    """Return the condition of a worker by its last report; `faults` are all that are recorded."""
    silent_seconds = abs(now - worker.seen_at)
    if silent_seconds > SILENT_SECONDS:
        return WorkerCondition(
            "silent",
            f"no report for {silent_seconds:,.0f} s: its process or its machine has stopped",
            "start it again: python -m enrich run",
        )
    if worker.error and _lasts(worker, faults, now):
        reason, mark, remedy = worker.error.rpartition("; ")
        return WorkerCondition("failing", reason if mark else remedy, remedy if mark else LOOK)
    return WorkerCondition("working" if worker.state == "open" else "waiting")


def _lasts(worker: WorkerRow, faults: Sequence[Fault], now: float) -> bool:
    """Return whether the last error of a worker is probably not over."""
    age_seconds = abs(now - (worker.error_at or 0.0))
    return age_seconds <= (LASTING_SECONDS if faults else RECENT_SECONDS)
