"""The size of batches: how many rows to compute in one call."""

from __future__ import annotations


class MicroBatch:
    """How many rows to compute in one call, so that a call takes about a second.

    Embeddings need large batches; a worker that must yield needs short ones.
    """

    TARGET_SECONDS = 1.0
    MOST_ROWS = 500

    def __init__(self, rows: int = 16) -> None:
        self.rows = rows

    def measure(self, rows: int, seconds: float) -> None:
        """Adjust the size to the time that a call took."""
        if rows < self.rows and seconds < self.TARGET_SECONDS:
            return
        wanted = int(rows * self.TARGET_SECONDS / max(seconds, 1e-6))
        # Twice at most: the first calls also pay for imports and caches.
        self.rows = max(1, min(wanted, 2 * max(rows, self.rows), self.MOST_ROWS))
