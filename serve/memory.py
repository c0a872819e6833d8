"""The memory cache: answers ready to send, bounded, each until its time is over."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict


class Memory:
    """The answers used last; what was used longest ago goes first."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[int, bytes], tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, dataset_id: int, key: bytes) -> bytes | None:
        """Return a remembered body that is not too old."""
        with self._lock:
            body, until = self._answers.get((dataset_id, key), (None, 0.0))
            if body is None:
                return None
            if until < time.monotonic():
                del self._answers[dataset_id, key]
                return None
            self._answers.move_to_end((dataset_id, key))
            return body

    def put(self, dataset_id: int, key: bytes, body: bytes, seconds: float = float("inf")) -> None:
        """Remember a body for so long."""
        if not self._entries:
            return
        with self._lock:
            self._answers[dataset_id, key] = body, time.monotonic() + seconds
            self._answers.move_to_end((dataset_id, key))
            if len(self._answers) > self._entries:
                self._answers.popitem(last=False)
