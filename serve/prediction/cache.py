"""The response cache: responses ready to send, bounded in number, bytes and age."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

# Memory that a response takes in addition to its body and address: some 480 bytes of objects (by
# tracemalloc), and what the allocator leaves between them.
SLOT_BYTES = 750


class CachedResponse(NamedTuple):
    """A response ready to send, with what counters need to know of it."""

    body: bytes
    tag: str
    dataset_id: int
    dataset: str
    # teacher or student
    source: str
    prediction: str
    # The key of the inputs, b"" if the dataset remembers no answers.
    key: bytes = b""


class ResponseCache:
    """A least-recently-used cache of responses, by address: a path and its query."""

    def __init__(self, entries: int, most_bytes: float = float("inf")) -> None:
        self._entries = entries
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._bytes = 0
        self._responses: OrderedDict[str, tuple[CachedResponse, float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._responses)

    @property
    def bytes(self) -> int:
        """Approximate memory that the responses take, in bytes."""
        return self._bytes

    def get(self, address: str) -> CachedResponse | None:
        """Return the cached response for an address, None where there is none or it has expired."""
        with self._lock:
            entry = self._responses.get(address)
            if entry is None:
                return None
            if entry[1] < time.monotonic():
                self._drop(address)
                return None
            self._responses.move_to_end(address)
            return entry[0]

    def put(self, address: str, cached: CachedResponse, seconds: float = float("inf")) -> None:
        """Cache a response for that many seconds."""
        size = len(cached.body) + len(address) + SLOT_BYTES
        with self._lock:
            if address in self._responses:
                self._drop(address)
            if size > self._most_bytes:
                return
            self._responses[address] = cached, time.monotonic() + seconds, size
            self._bytes += size
            while len(self._responses) > self._entries or self._bytes > self._most_bytes:
                self._drop(next(iter(self._responses)))

    def _drop(self, address: str) -> None:
        self._bytes -= self._responses.pop(address)[2]
