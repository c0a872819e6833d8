"""Daily pruning: a worker deletes old requested inputs and answers while its gate is open."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import Connection

from db.admin.clock_check import DAY_SECONDS, is_clock_credible, recent_times
from db.admin.prune import prune_answers, prune_requests
from db.jobs.job_pruning import prune_jobs
from db.queue.run_history import is_running, last_completed_at, recorded_run
from db.records.dataset import Dataset, all_datasets
from db.store.direct.clock import wall_seconds
from db.store.store import Store

COMMAND = "prune"
DONE, POSTPONED = "done", "postponed"
CHECK_SECONDS = 600.0
# A run that was postponed tells a later one that the clock is right.
POSTPONED_SECONDS = 3600.0

log = logging.getLogger("veilleuse.worker")


class DailyPruning:
    """Enforces `retain_days` once a day for all workers of a store."""

    def __init__(self, store: Store, worker_id: int) -> None:
        self._store = store
        self._worker_id = worker_id
        self._checked_at = -CHECK_SECONDS

    def run_if_due(self, may_go_on: Callable[[], bool]) -> None:
        """Prune the datasets that are due; stop between two batches once it may not go on."""
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        with self._store.reading() as connection:
            due = [one for one in all_datasets(connection) if _is_due(connection, one)]
            now = wall_seconds(connection)
            is_credible = bool(due) and is_clock_credible(now, recent_times(connection, now))
        for dataset in due:
            if is_credible:
                self._prune(dataset, may_go_on)
            else:
                self._postpone(dataset)
            if not may_go_on():
                return
        if is_credible:
            prune_jobs(self._store, may_go_on)
        self._checked_at = time.monotonic()

    def _prune(self, dataset: Dataset, may_go_on: Callable[[], bool]) -> None:
        with recorded_run(self._store, dataset.id, COMMAND, self._worker_id) as run:
            count = prune_requests(self._store, dataset, may_go_on)
            prune_answers(self._store, dataset, may_go_on)
            # What is left is due again as soon as the gate is open.
            run.complete(DONE if may_go_on() else "interrupted", count)
        if count:
            log.info("%s: deleted %s old requested inputs", dataset.name, f"{count:,}")

    def _postpone(self, dataset: Dataset) -> None:
        """Record when the clock was not believed; if it is right, that tells tomorrow's run so."""
        with self._store.reading() as connection:
            at = last_completed_at(connection, dataset.id, COMMAND, POSTPONED)
            is_recent = at is not None and abs(wall_seconds(connection) - at) < POSTPONED_SECONDS
        if not is_recent:
            with recorded_run(self._store, dataset.id, COMMAND, self._worker_id) as run:
                run.complete(POSTPONED)


def _is_due(connection: Connection, dataset: Dataset) -> bool:
    at = last_completed_at(connection, dataset.id, COMMAND, DONE)
    is_done = at is not None and 0 <= wall_seconds(connection) - at < DAY_SECONDS
    return not is_done and not is_running(connection, dataset.id, COMMAND)
