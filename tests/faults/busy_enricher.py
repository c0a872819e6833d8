"""An enricher that uses a whole core."""

from __future__ import annotations

import time
from collections.abc import Sequence

from enrich.enrichers.base import Row

SECONDS_A_ROW = 0.004


class Busy:
    """Return each sentence's length after some milliseconds of computing."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        until = time.process_time() + SECONDS_A_ROW * len(rows)
        while time.process_time() < until:
            sum(range(100))
        return [len(row["sentence"]) for row in rows]
