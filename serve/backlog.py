"""The backlog: inputs never seen, written behind the answers by one thread."""

from __future__ import annotations

import logging
import queue
import threading
from collections import defaultdict
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.record import NewRecord, ask_for
from db.store import Store

MOST_AT_ONCE = 500
GATHER_SECONDS = 0.2
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 5.0

log = logging.getLogger("veilleuse.web")


class Backlog:
    """A bounded queue: an answer never waits for it, and what overflows is counted."""

    def __init__(self, store: Store, entries: int) -> None:
        self._store = store
        self._queue: queue.Queue[tuple[int, NewRecord]] = queue.Queue(entries)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="backlog", daemon=True)
        self.dropped = 0
        self.written = 0

    def __len__(self) -> int:
        return self._queue.qsize()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, dataset_id: int, wanted: NewRecord) -> bool:
        """Take an input; returns whether there was room."""
        try:
            self._queue.put_nowait((dataset_id, wanted))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _write_all(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            waiting = self._gather()
            while waiting and not self._write(waiting):
                # The store may come back; until then the queue holds what comes.
                if self._closing.wait(RETRY_SECONDS):
                    self.dropped += len(waiting)
                    break

    def _gather(self) -> list[tuple[int, NewRecord]]:
        try:
            gathered = [self._queue.get(timeout=GATHER_SECONDS)]
        except queue.Empty:
            return []
        self._closing.wait(GATHER_SECONDS)
        while len(gathered) < MOST_AT_ONCE:
            try:
                gathered.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return gathered

    def _write(self, waiting: list[tuple[int, NewRecord]]) -> bool:
        by_dataset: dict[int, list[NewRecord]] = defaultdict(list)
        for dataset_id, wanted in waiting:
            by_dataset[dataset_id].append(wanted)
        try:
            for dataset_id, rows in sorted(by_dataset.items()):
                self._store.write(partial(ask_for, dataset_id=dataset_id, rows=rows))
        except SQLAlchemyError as error:
            log.warning("unseen inputs cannot be written now: %s", type(error).__name__)
            return False
        self.written += len(waiting)
        return True
