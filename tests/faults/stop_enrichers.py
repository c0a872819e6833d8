"""An enricher that takes longer than a lease lasts for a chunk of a few records."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence

from enrich.enrichers.base import Row

# Set for workers, not for the undisturbed run.
SLOW = "STOP_SLOW"
MOST_SECONDS_A_ROW = 0.1


class SlowLength:
    """The length of the sentence."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        if SLOW in os.environ:
            # Different each time, so that a worker is stopped now here, now there.
            time.sleep(random.uniform(0, MOST_SECONDS_A_ROW) * len(rows))
        return [len(row["sentence"]) for row in rows]
