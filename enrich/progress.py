"""Progress: what workers count now and then, for whoever asks often."""

from __future__ import annotations

import time

from db.dataset import all_datasets
from db.progress import seconds_since_count, write_counts
from db.status import dataset_status
from db.store import Store

COUNT_SECONDS = 10.0
# Counting takes a while where there are many records: it must not be what a worker does all day.
LEAST_TIMES_COST = 50.0


class Progress:
    """Counts for all workers, unless another has done so of late."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pause = COUNT_SECONDS
        self._looked = -COUNT_SECONDS

    def publish(self, *, at_once: bool = False) -> None:
        """Count, and write what was counted; `at_once` though somebody has done so of late."""
        if not at_once and time.monotonic() - self._looked < self._pause:
            return
        self._looked = time.monotonic()
        with self._store.reading() as connection:
            if not at_once and seconds_since_count(connection) < self._pause:
                return
            began = time.monotonic()
            counted = [
                (one.id, dataset_status(connection, one)) for one in all_datasets(connection)
            ]
        with self._store.writing() as connection:
            for dataset_id, status in counted:
                write_counts(connection, dataset_id, status["records"], status["enriched"])
        self._pause = max(COUNT_SECONDS, LEAST_TIMES_COST * (time.monotonic() - began))
