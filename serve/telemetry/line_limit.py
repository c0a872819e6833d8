"""A limit on log lines of one kind, so that a flood of refused requests does not fill the disk."""

from __future__ import annotations

LINES_PER_SECOND = 50


class LineLimit:
    """Admits so many lines of each kind in a second, and counts the others.

    Threads share it without a lock: a few lines more or fewer do not matter.
    """

    def __init__(self, lines_per_second: int = LINES_PER_SECOND) -> None:
        self._most = lines_per_second
        self._second = 0
        self._counts: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def admits(self, kind: str, now: float) -> bool:
        """Return whether a line of this kind is written, at a time in seconds."""
        if int(now) != self._second:
            self._second, self._counts = int(now), {}
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count > self._most:
            self._skipped[kind] = self._skipped.get(kind, 0) + 1
        return count <= self._most

    @property
    def has_skipped(self) -> bool:
        """Whether there are lines that `take_skipped` will return once their second is over."""
        return bool(self._skipped)

    def take_skipped(self, now: float) -> dict[str, int]:
        """Return how many lines of each kind were skipped, once the second is over."""
        if not self._skipped or int(now) == self._second:
            return {}
        skipped, self._skipped = self._skipped, {}
        return skipped
