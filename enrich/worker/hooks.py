"""The link between a worker and its gate."""

from __future__ import annotations

import dataclasses
import time

from db.queue.workers.worker_registry import WorkerReport
from enrich.executors.base import Executor
from enrich.gate.sampler import StoreState

from .stats import WorkerTotals


class WorkerHooks:
    """Links a worker to its gate; this one is for commands that work without a gate."""

    # Makes metered calls where the executor is on other machines.
    caller: Executor | None = None

    def __init__(self, reason: str = "") -> None:
        self._reason = reason
        self._since = time.time()

    def report(self, totals: WorkerTotals) -> WorkerReport:
        """Return the worker's report."""
        return WorkerReport(
            "open", self._since, self._reason, open_share=1.0, **dataclasses.asdict(totals)
        )

    def on_work(self, is_working: bool) -> None:  # noqa: FBT001
        """Handle the beginning or the end of work on a chunk."""

    def on_store_state(self, state: StoreState) -> None:
        """Handle what the heartbeat has read from the store."""

    def stopped_seconds(self) -> float:
        """Return for how long the worker's processes have been stopped in all."""
        return 0.0
