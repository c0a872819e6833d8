"""An executor in this process, so that tests can change an enricher's code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from db.errors import EnricherError
from db.settings import Settings
from db.store.store import Store
from enrich.enrichers.base import Row
from enrich.executors.base import Computed
from enrich.executors.recipe import ComputeRows, Recipe
from enrich.worker.worker import working


class InlineExecutor:
    """Compute in this process, and count the rows of all steps."""

    is_local = True

    def __init__(self) -> None:
        self._steps: dict[str, ComputeRows] = {}
        self.rows = 0

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Return a value for each row."""
        if fingerprint not in self._steps:
            self._steps[fingerprint] = recipe().start()
        self.rows += len(rows)
        try:
            return Computed(self._steps[fingerprint](rows), 0.0)
        except Exception as error:
            raise EnricherError(str(error)) from error

    def abort(self) -> None:
        """Do nothing: there is no process to end."""

    def close(self) -> None:
        """Do nothing: there is no process to end."""


def enrich_now(store: Store, settings: Settings) -> int:
    """Enrich all stale records and return the number of values computed."""
    executor = InlineExecutor()
    with working(store, settings, threading.Event(), executor) as worker:
        worker.enrich()
    return executor.rows
