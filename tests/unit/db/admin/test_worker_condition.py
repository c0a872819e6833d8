"""Tests of the condition of a worker."""

from __future__ import annotations

import pytest

from db.admin.worker_condition import LASTING_SECONDS, SILENT_SECONDS, condition_of
from db.queue.fault import Fault
from db.queue.workers.worker_row import WorkerRow

NOW = 10_000.0
FAULT = Fault("notes", "train", "no labels", NOW, 1, NOW, 5.0)
NO_HTTPX = "EnricherError: http needs httpx; pip install httpx"


@pytest.mark.parametrize(
    ("worker", "faults", "state"),
    [
        (WorkerRow(seen_at=NOW, state="open"), [], "working"),
        (WorkerRow(seen_at=NOW, state="closed"), [], "waiting"),
        (WorkerRow(seen_at=NOW - SILENT_SECONDS - 1, state="open"), [], "silent"),
        (WorkerRow(seen_at=NOW, state="open", error="x", error_at=NOW - 10), [], "failing"),
        (WorkerRow(seen_at=NOW, state="open", error="x", error_at=NOW - 600), [], "working"),
        (WorkerRow(seen_at=NOW, state="open", error="x", error_at=NOW - 600), [FAULT], "failing"),
        (
            WorkerRow(seen_at=NOW, state="open", error="x", error_at=NOW - LASTING_SECONDS - 1),
            [FAULT],
            "working",
        ),
    ],
)
def test_a_worker_fails_while_its_last_error_is_not_over(
    worker: WorkerRow, faults: list[Fault], state: str
) -> None:
    """A worker that does not report is silent, whatever its last report said."""
    condition = condition_of(worker, faults, NOW)
    assert condition.state == state
    assert condition.is_bad == (state in {"failing", "silent"}) == bool(condition.remedy)


def test_a_failing_worker_says_why_and_what_to_do() -> None:
    """Errors end with what to do."""
    worker = WorkerRow(seen_at=NOW, state="open", error=NO_HTTPX, error_at=NOW)
    condition = condition_of(worker, [], NOW)
    assert (condition.reason, condition.remedy) == tuple(NO_HTTPX.split("; "))
