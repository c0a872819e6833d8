"""A slow enricher."""

from __future__ import annotations

import time
from collections.abc import Sequence

from enrich.enrichers.base import Row


class SlowLength:
    """Return each sentence's length after a delay."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        time.sleep(0.002 * len(rows))
        return [len(row["sentence"]) for row in rows]
