"""An enricher that needs longer for a small chunk than a lease lasts."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence

from enrich.enrichers.base import Row

# The environment variable is set for workers but not for the undisturbed run.
SLOW = "STOP_SLOW"
MOST_SECONDS_A_ROW = 0.1


class SlowLength:
    """Return the length of each sentence."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        if SLOW in os.environ:
            # The time varies, so that a worker is stopped at a different step each time.
            time.sleep(random.uniform(0, MOST_SECONDS_A_ROW) * len(rows))
        return [len(row["sentence"]) for row in rows]
