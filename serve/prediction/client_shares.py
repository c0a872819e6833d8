"""Shares of clients in the unseen inputs that wait, so that none fills the store for all."""

from __future__ import annotations

import math
import threading
from collections import Counter, defaultdict

MOST_CLIENTS = 10_000


class ClientShares:
    """Estimates how many of a dataset's waiting inputs each client has added in this process.

    Inputs that wait are counted in the store, no matter which client added them. While they are
    fewer than `share` of `most_waiting`, all clients may add more; then only those that have added
    less than that, or less than this process's part of it. When workers make room, every client's
    number shrinks alike.
    """

    def __init__(self, most_waiting: int, share: float, processes: int) -> None:
        self._free = share * most_waiting if share < 1 else math.inf
        self._most_each = self._free / processes
        self._waiting: Counter[int] = Counter()
        self._added: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._lock = threading.Lock()
        self.refused = 0

    def admits(self, dataset_id: int, client: str) -> bool:
        """Return whether a client may add another input, and count that input or the refusal."""
        with self._lock:
            added = self._added[dataset_id]
            is_free = self._waiting[dataset_id] < self._free
            if not is_free and added[client] >= self._most_each:
                self.refused += 1
                return False
            self._waiting[dataset_id] += 1
            added[client] += 1
            if len(added) > MOST_CLIENTS:
                self._added[dataset_id] = _largest(added)
            return True

    def set_waiting(self, dataset_id: int, waiting: int) -> None:
        """Take over how many inputs wait, as counted in the store."""
        with self._lock:
            added = self._added[dataset_id]
            self._waiting[dataset_id] = waiting
            if added.total() > waiting:
                scale = waiting / added.total()
                kept = {client: int(count * scale) for client, count in added.items()}
                self._added[dataset_id] = Counter({name: it for name, it in kept.items() if it})

    def contested(self) -> list[int]:
        """Return the datasets in which clients may be refused."""
        with self._lock:
            return [one for one, waiting in self._waiting.items() if waiting >= self._free]


def _largest(added: Counter[str]) -> Counter[str]:
    return Counter(dict(added.most_common(MOST_CLIENTS // 2)))
