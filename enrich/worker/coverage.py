"""Progress: what workers count now and then, for whoever asks often."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.admin.status import dataset_status
from db.queue.coverage import seconds_since_count, write_counts
from db.records.dataset import all_datasets
from db.store.engine import Store

COUNT_SECONDS = 10.0
# Counting takes a while where there are many records: it must not be what a worker does all day.
LEAST_TIMES_COST = 50.0


class CoverageCounter:
    """Counts for all workers, unless another has done so of late."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pause = COUNT_SECONDS
        self._looked = -COUNT_SECONDS

    def publish(self, *, at_once: bool = False) -> None:
        """Count, and write what was counted; `at_once` though somebody has done so of late.

        While the store is out of reach nothing is: no work ends for want of a figure.
        """
        with contextlib.suppress(SQLAlchemyError):
            self._publish(at_once=at_once)

    def _publish(self, *, at_once: bool) -> None:
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
        for dataset_id, status in counted:
            made = {"records": status["records"], "fresh": status["enriched"]}
            self._store.write(partial(write_counts, dataset_id=dataset_id, **made))
        self._pause = max(COUNT_SECONDS, LEAST_TIMES_COST * (time.monotonic() - began))
