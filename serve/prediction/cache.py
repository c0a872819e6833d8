"""The memory cache: answers ready to send, bounded in number and bytes, each for its time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

# What an answer takes besides its body and its address: some 430 bytes of objects, by tracemalloc,
# and what the allocator leaves between them.
SLOT_BYTES = 700


class CachedResponse(NamedTuple):
    """An answer ready to send, with what is counted and said of it."""

    body: bytes
    tag: str
    dataset_id: int
    dataset: str
    # teacher or student
    source: str
    prediction: str


class ResponseCache:
    """The answers used last; what was used longest ago goes first."""

    def __init__(self, entries: int, most_bytes: float = float("inf")) -> None:
        self._entries = entries
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._bytes = 0
        self._answers: OrderedDict[str, tuple[CachedResponse, float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def bytes(self) -> int:
        """What the answers take, roughly."""
        return self._bytes

    def get(self, address: str) -> CachedResponse | None:
        """Return a remembered answer, by how it was asked for, that is not too old."""
        with self._lock:
            found = self._answers.get(address)
            if found is None:
                return None
            if found[1] < time.monotonic():
                self._drop(address)
                return None
            self._answers.move_to_end(address)
            return found[0]

    def put(self, address: str, cached: CachedResponse, seconds: float = float("inf")) -> None:
        """Remember an answer for so long."""
        size = len(cached.body) + len(address) + SLOT_BYTES
        with self._lock:
            if address in self._answers:
                self._drop(address)
            if size > self._most_bytes:
                return
            self._answers[address] = cached, time.monotonic() + seconds, size
            self._bytes += size
            while len(self._answers) > self._entries or self._bytes > self._most_bytes:
                self._drop(next(iter(self._answers)))

    def _drop(self, address: str) -> None:
        self._bytes -= self._answers.pop(address)[2]
