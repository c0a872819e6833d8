"""The request recorder: a thread writes unseen inputs to the store, behind the answers."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.store.store import Store
from db.traffic.requested_inputs import RequestedInput, count_waiting, record_requested

MOST_AT_ONCE = 500
GATHER_SECONDS = 0.2
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 5.0
# How often the inputs that wait for workers are counted.
COUNT_SECONDS = 5.0

log = logging.getLogger("veilleuse.web")


class RequestRecorder:
    """A bounded write-behind queue: an answer never waits for it; drops are counted."""

    def __init__(self, store: Store, entries: int, most_waiting: int) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._room: dict[int, int] = {}
        self._counted = float("-inf")
        self._queue: queue.Queue[tuple[int, RequestedInput]] = queue.Queue(entries)
        self._closing = threading.Event()
        self._thread = threading.Thread(
            target=self._write_all, name="request-recorder", daemon=True
        )
        self.dropped = 0

    def __len__(self) -> int:
        return self._queue.qsize()

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def put(self, dataset_id: int, asked: RequestedInput) -> bool:
        """Queue an input; return False where the queue or the store has no room for it."""
        if self._room.get(dataset_id, 1) <= 0:
            self.dropped += 1
            return False
        try:
            self._queue.put_nowait((dataset_id, asked))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def close(self) -> None:
        """Write the inputs that wait, for CLOSE_SECONDS at most."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _write_all(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            self._forget_room()
            waiting = self._gather()
            while waiting and not self._write(waiting):
                # The store may come back; until then the queue holds new inputs.
                if self._closing.wait(RETRY_SECONDS):
                    self.dropped += len(waiting)
                    break

    def _forget_room(self) -> None:
        """Discard the counts of room after a while: workers make room."""
        now = time.monotonic()
        if now - self._counted > COUNT_SECONDS:
            self._room, self._counted = {}, now

    def _gather(self) -> list[tuple[int, RequestedInput]]:
        try:
            gathered = [self._queue.get(timeout=GATHER_SECONDS)]
        except queue.Empty:
            return []
        if self._queue.qsize() < MOST_AT_ONCE:
            self._closing.wait(GATHER_SECONDS)
        while len(gathered) < MOST_AT_ONCE:
            try:
                gathered.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return gathered

    def _count_room(self, dataset_ids: Iterable[int]) -> None:
        """Count how many more inputs of each dataset may wait for workers."""
        with self._store.reading() as connection:
            for dataset_id in set(dataset_ids) - self._room.keys():
                waiting = count_waiting(connection, dataset_id, self._most_waiting)
                self._room[dataset_id] = self._most_waiting - waiting

    def _write(self, waiting: list[tuple[int, RequestedInput]]) -> bool:
        by_dataset: dict[int, list[RequestedInput]] = defaultdict(list)
        for dataset_id, asked in waiting:
            by_dataset[dataset_id].append(asked)
        try:
            self._count_room(by_dataset)
            for dataset_id, rows in sorted(by_dataset.items()):
                self._write_some(dataset_id, rows)
        except SQLAlchemyError as error:
            log.warning("unseen inputs cannot be written now: %s", type(error).__name__)
            return False
        return True

    def _write_some(self, dataset_id: int, rows: list[RequestedInput]) -> None:
        """Write as many inputs as there is room for."""
        room = max(self._room[dataset_id], 0)
        if rows[:room]:
            self._store.write(
                partial(record_requested, dataset_id=dataset_id, requested=rows[:room])
            )
        self._room[dataset_id] = room - len(rows)
        self.dropped += len(rows[room:])
