"""The counts of fresh records that pages and metrics show: those of workers, or newer ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from db.errors import VeilleuseError
from db.queue.coverage import CoverageCount, all_counts, count_now
from db.records.dataset import dataset_names, find_dataset
from db.store.direct.clock import wall_seconds
from db.store.direct.statement import StoreConnection

# A count is kept for this time, and for so many times as long as it took.
KEEP_SECONDS = 10.0
PAUSE_PER_COST = 100.0


@dataclass(frozen=True)
class _Kept:
    """Counts of one dataset that were made here, and until when they are kept."""

    counts: list[CoverageCount] = field(default_factory=list)
    until: float = 0.0


class CoverageReader:
    """Reads the workers' counts; counts itself what no worker has counted for a minute.

    A worker does not count while its gate is closed, and records come all the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}

    def read(self, connection: StoreConnection) -> list[CoverageCount]:
        """Return the counts of all datasets, sorted by dataset."""
        by_dataset: dict[str, list[CoverageCount]] = {}
        for count in all_counts(connection):
            by_dataset.setdefault(count.dataset, []).append(count)
        return list(self._read_all(connection, dataset_names(connection), by_dataset))

    def _read_all(
        self,
        connection: StoreConnection,
        names: list[str],
        by_dataset: dict[str, list[CoverageCount]],
    ) -> Iterator[CoverageCount]:
        now = wall_seconds(connection)
        for name in names:
            counts = by_dataset.get(name, [])
            is_known = bool(counts) and not any(count.is_old(now) for count in counts)
            yield from counts if is_known else self._count(connection, name, counts)

    def _count(
        self, connection: StoreConnection, name: str, last: list[CoverageCount]
    ) -> list[CoverageCount]:
        with self._lock:
            kept = self._kept.get(name, _Kept())
            if time.monotonic() < kept.until:
                return kept.counts
            began = time.monotonic()
            counts = _try_count(connection, name, last)
            cost = time.monotonic() - began
            until = time.monotonic() + max(KEEP_SECONDS, PAUSE_PER_COST * cost)
            self._kept[name] = _Kept(counts, until)
            return counts


def _try_count(
    connection: StoreConnection, name: str, last: list[CoverageCount]
) -> list[CoverageCount]:
    """Return new counts, or the last ones of a dataset whose spec cannot be read."""
    try:
        return count_now(connection, find_dataset(connection, name), last)
    except VeilleuseError:
        return last
