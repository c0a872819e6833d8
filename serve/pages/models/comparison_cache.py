"""A small cache of comparisons, since each reads thousands of labels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from db.versions.read_comparison import ReadComparison

ComparisonKey: TypeAlias = tuple[int, int, int]

FRESH_SECONDS = 30.0
MOST_KEPT = 4


class ComparisonCache:
    """Keeps the latest comparisons for FRESH_SECONDS, and makes one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[ComparisonKey, tuple[float, ReadComparison]] = {}

    def find(self, key: ComparisonKey, make: Callable[[], ReadComparison]) -> ReadComparison:
        """Return a comparison by dataset id and the two versions, made now if it is not kept."""
        with self._lock:
            made_at, kept = self._kept.get(key, (0.0, None))
            if kept is not None and time.monotonic() - made_at < FRESH_SECONDS:
                return kept
            found = make()
            self._kept.pop(key, None)
            self._kept[key] = time.monotonic(), found
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            return found
