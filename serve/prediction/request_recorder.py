"""The request recorder: a thread writes unseen inputs to the store, behind the answers."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from db.store.direct.direct_store import DirectStore
from db.store.direct.errors import error_name, is_refusal, is_timeout, store_errors
from db.store.direct.statement import StoreConnection
from db.traffic.requested_inputs import RequestedInput, count_waiting, record_within_limit

from .client_shares import ClientShares

# A row takes 6 to 9 µs of processor time in a batch of this size, and 20 µs in one of 500: a
# transaction writes each page of the indexes once, and counts once what waits.
MOST_AT_ONCE = 2500
GATHER_SECONDS = 0.2
# A crowd's inputs are gathered for longer, so that batches become large.
CROWD = 200
CROWD_GATHERS = 4
RETRY_SECONDS = 1.0
CLOSE_SECONDS = 5.0
# How often the thread writes what else there is.
ALSO_SECONDS = 1.0
# How often the inputs that wait for workers are counted.
COUNT_SECONDS = 5.0

log = logging.getLogger("veilleuse.web")

Waiting: TypeAlias = tuple[int, RequestedInput]
ByDataset: TypeAlias = dict[int, list[RequestedInput]]


class RequestRecorder:
    """A bounded write-behind queue: an answer never waits for it; drops are counted.

    While the store is down the inputs wait, and more than `entries` are dropped. An input that the
    store refuses is dropped alone. The thread that writes survives every error. What cannot be
    written while the process ends, for CLOSE_SECONDS, is dropped, and a line in the log says so.
    The thread also calls `also` about every second, which never raises: a thread of its own would
    need a connection of its own.
    """

    def __init__(
        self,
        store: DirectStore,
        entries: int,
        most_waiting: int,
        shares: ClientShares | None = None,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self.shares = shares or ClientShares(most_waiting, share=1.0, processes=1)
        self._also = also
        self._also_at = float("-inf")
        self._room: dict[int, int] = {}
        self._counted = float("-inf")
        self._entries = entries
        self._queue: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        # The batch that is being written.
        self._batch: list[Waiting] = []
        # Fewer for a store that takes too long to write more.
        self._at_once = MOST_AT_ONCE
        self._closing = threading.Event()
        self._close_until = float("inf")
        self._thread = threading.Thread(
            target=self._write_all, name="request-recorder", daemon=True
        )
        self.dropped = 0
        self.refused = 0

    def __len__(self) -> int:
        return self._queue.qsize() + len(self._batch)

    @property
    def has_died(self) -> bool:
        """Whether the thread that writes has ended before it was closed."""
        has_started = self._thread.ident is not None
        return has_started and not self._thread.is_alive() and not self._closing.is_set()

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def put(self, dataset_id: int, asked: RequestedInput, client: str = "") -> bool:
        """Queue an input; return False where the queue or the store has no room for it.

        Neither has room for a client that has taken its share, nor at the end of the process.
        """
        if self._closing.is_set():
            return False
        if self._room.get(dataset_id, 1) <= 0 or len(self) >= self._entries:
            self.dropped += 1
            return False
        if not self.shares.admits(dataset_id, client):
            return False
        self._queue.put((dataset_id, asked))
        return True

    def close(self) -> None:
        """Write the inputs that wait, for CLOSE_SECONDS at most."""
        self._close_until = time.monotonic() + CLOSE_SECONDS
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        if lost := len(self):
            self.dropped += lost
            log.error("%d unseen inputs are lost: the store did not take them in time", lost)

    def _write_all(self) -> None:
        while not self._closing.is_set() or (len(self) and time.monotonic() < self._close_until):
            self._write_also()
            if not self._try_batch() and self._closing.wait(RETRY_SECONDS):
                time.sleep(RETRY_SECONDS / 10)

    def _write_also(self) -> None:
        now = time.monotonic()
        if now - self._also_at >= ALSO_SECONDS:
            self._also_at = now
            self._also()

    def _try_batch(self) -> bool:
        """Gather and write a batch; return False if any of it has to wait."""
        try:
            self._forget_room()
            if not self._batch:
                self._gather()
            now, later = self._batch[: self._at_once], self._batch[self._at_once :]
            rest = self._write(now)
            self._batch = rest + later
        except Exception:
            # The thread must survive any error, or all later inputs would be lost unnoticed.
            log.exception("unseen inputs cannot be written now")
            return False
        return not rest

    def _forget_room(self) -> None:
        """Discard the counts of room after a while: workers make room."""
        now = time.monotonic()
        if now - self._counted > COUNT_SECONDS:
            self._room, self._counted = {}, now
            self._count_contested()

    def _count_contested(self) -> None:
        """Count anew where clients are refused, since nothing may be written there."""
        try:
            for dataset_id in self.shares.contested():
                self._count_room(dataset_id)
        except store_errors() as error:
            log.debug("waiting inputs cannot be counted now: %s", error_name(error))

    def _gather(self) -> None:
        """Move waiting inputs into the batch, which counts as waiting until it is written."""
        try:
            self._batch.append(self._queue.get(timeout=GATHER_SECONDS))
        except queue.Empty:
            return
        for number in range(CROWD_GATHERS):
            waiting = self._queue.qsize()
            is_few = number > 0 and waiting < CROWD
            if waiting >= MOST_AT_ONCE or is_few or self._closing.wait(GATHER_SECONDS):
                break
        while len(self._batch) < MOST_AT_ONCE:
            try:
                self._batch.append(self._queue.get_nowait())
            except queue.Empty:
                break

    def _count_room(self, dataset_id: int) -> int:
        """Return how many more inputs of a dataset may wait for workers."""
        if dataset_id not in self._room:
            with self._store.reading() as connection:
                waiting = count_waiting(connection, dataset_id, self._most_waiting)
            self._room[dataset_id] = self._most_waiting - waiting
            self.shares.set_waiting(dataset_id, waiting)
        return max(self._room[dataset_id], 0)

    def _write(self, batch: list[Waiting]) -> list[Waiting]:
        """Write what can be written now; return the rest.

        All of it by one transaction; where the store refuses that, by one for each dataset, and
        then for halves, until what it refuses is left out alone.
        """
        rest: list[Waiting] = []
        took_too_long = False
        parts = [by_dataset(batch)]
        while parts:
            part = parts.pop()
            try:
                self._write_part(part)
            except Exception as error:  # noqa: BLE001  the rest is tried again
                if is_refusal(error):
                    parts += self._without_refused(part, error)
                    continue
                log.warning("unseen inputs cannot be written now: %s", error_name(error))
                took_too_long |= is_timeout(error)
                rest += [(one, row) for one, rows in part.items() for row in rows]
        self._at_once = min(2 * self._at_once, MOST_AT_ONCE)
        if took_too_long:
            self._at_once = max(len(batch) // 2, 1)
        return rest

    def _write_part(self, part: ByDataset) -> None:
        """Write as many inputs of each dataset as there is room for, by one transaction."""
        room = {one: self._count_room(one) for one in part}
        within = {one: rows[: room[one]] for one, rows in part.items()}
        written = self._store.write(
            partial(_record_all, requested=within, limit=self._most_waiting)
        )
        # Afterwards: a write that fails takes no room, however often it is tried again.
        for dataset_id, rows in part.items():
            self.dropped += len(rows) - written[dataset_id]
            is_full = written[dataset_id] < len(within[dataset_id])
            self._room[dataset_id] = 0 if is_full else room[dataset_id] - len(rows)

    def _without_refused(self, part: ByDataset, error: Exception) -> list[ByDataset]:
        """Return smaller parts of what the store refuses; none of a single input, which is lost."""
        smaller = divide(part)
        if not smaller:
            self.refused += 1
            # Without the input itself, which may be anything.
            log.warning("the store refuses an unseen input: %s", error_name(error))
        return smaller


def by_dataset(batch: Iterable[Waiting]) -> ByDataset:
    """Return inputs by their datasets, in the order in which all processes write them."""
    found: defaultdict[int, list[RequestedInput]] = defaultdict(list)
    for dataset_id, asked in batch:
        found[dataset_id].append(asked)
    return dict(sorted(found.items()))


def divide(part: ByDataset) -> list[ByDataset]:
    """Return a part for each dataset, or the halves of the only one; none of a single input."""
    if len(part) > 1:
        return [{dataset_id: rows} for dataset_id, rows in part.items()]
    ((dataset_id, rows),) = part.items()
    middle = len(rows) // 2
    return [{dataset_id: rows[:middle]}, {dataset_id: rows[middle:]}] if middle else []


def _record_all(connection: StoreConnection, requested: ByDataset, limit: int) -> dict[int, int]:
    """Record the inputs of datasets; return how many of each there was room for."""
    return {
        dataset_id: record_within_limit(
            connection, dataset_id=dataset_id, requested=rows, limit=limit
        )
        for dataset_id, rows in requested.items()
    }
