"""Coverage: a worker counts fresh records from time to time, for pages and metrics."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.admin.store_status import dataset_status
from db.queue.coverage import seconds_since_count, write_counts
from db.records.dataset import Dataset, all_datasets
from db.store.store import Store

COUNT_SECONDS = 10.0
# Counting many records takes a while: a worker waits this many times as long between counts.
PAUSE_PER_COST = 50.0


class CoverageCounter:
    """Counts coverage for all workers, unless another worker has done so recently."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pause = COUNT_SECONDS
        self._tried_at = -COUNT_SECONDS

    def publish(self, *, at_once: bool = False) -> None:
        """Count and write coverage; with `at_once` even if it was counted recently.

        An unreachable store is ignored: work does not fail because a count is missing.
        """
        with contextlib.suppress(SQLAlchemyError):
            self._publish(at_once=at_once)

    def _publish(self, *, at_once: bool) -> None:
        if not at_once and time.monotonic() - self._tried_at < self._pause:
            return
        self._tried_at = time.monotonic()
        with self._store.reading() as connection:
            if not at_once and seconds_since_count(connection) < self._pause:
                return
            began = time.monotonic()
            datasets = all_datasets(connection)
        for dataset in datasets:
            self._count(dataset)
        self._pause = max(COUNT_SECONDS, PAUSE_PER_COST * (time.monotonic() - began))

    def _count(self, dataset: Dataset) -> None:
        with self._store.reading() as connection:
            status = dataset_status(connection, dataset)
        counts = {"records": status["records"], "fresh": status["enriched"]}
        self._store.write(partial(write_counts, dataset_id=dataset.id, **counts))
