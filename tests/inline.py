"""An executor in this process, so that tests can change an enricher's code as they go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from db.errors import EnricherError
from db.settings import Settings
from db.store import Store
from enrich.enricher import Row
from enrich.recipe import Recipe, Step
from enrich.worker import working


class InlineExecutor:
    """Computes here and now, and counts the rows of each step."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}
        self.rows = 0

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> list[Any]:
        """Return a value for each row."""
        if fingerprint not in self._steps:
            self._steps[fingerprint] = recipe().start()
        self.rows += len(rows)
        try:
            return self._steps[fingerprint](rows)
        except Exception as error:
            raise EnricherError(str(error)) from error

    def close(self) -> None:
        """End nothing."""


def enrich_now(store: Store, settings: Settings) -> int:
    """Enrich all that is stale; returns how many values were made."""
    executor = InlineExecutor()
    with working(store, settings, threading.Event(), executor) as worker:
        worker.enrich()
    return executor.rows
