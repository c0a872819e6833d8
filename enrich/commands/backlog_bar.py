"""The progress bar of `enrich once`, whose total is the number of stale records."""

from __future__ import annotations

from collections.abc import Collection

from db.cli.terminal.progress_bar import ProgressBar
from db.records.dataset import read_datasets
from db.store.store import Store
from enrich.worker_status import count_stale_records


class BacklogBar:
    """Shows how many of the stale records of some datasets, or of all, are enriched."""

    def __init__(self, store: Store, names: Collection[str]) -> None:
        self._store = store
        self._names = names
        self._bar = ProgressBar("enrich")
        self._has_advanced = False

    def prepare(self, note: str) -> None:
        """Say what is done before the first record is enriched."""
        self._bar.begin(note)

    def start(self) -> None:
        """Begin to count what is done."""
        self._bar.begin("starting", self._count_stale())

    def advance(self, count: int) -> None:
        """Add to the count of enriched records."""
        if not self._has_advanced:
            # Only now the worker has made the plans, which may make more records stale.
            self._bar.expect(count + self._count_stale())
            self._has_advanced = True
        self._bar.advance(count)

    def end(self) -> None:
        """Remove the bar."""
        self._bar.end()

    def _count_stale(self) -> int:
        with self._store.reading() as connection:
            datasets, _ = read_datasets(connection)
            return sum(
                count_stale_records(connection, one)
                for one in datasets
                if not self._names or one.name in self._names
            )
