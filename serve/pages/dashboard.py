"""The dashboard: everything that goes on, drawn once for all who look."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sqlalchemy import Connection

from db.spec.field import Inputs
from serve.prediction.catalog import Catalog, Served
from serve.prediction.service import Service
from serve.store_reader import OutOfReach
from serve.telemetry.counters import total
from serve.telemetry.multiprocess import Board

from .dashboard_data import read_situation
from .model_card import Portrait, portray
from .rendering import fill

# However many browsers ask, the store is asked no more often than this.
FRESH_SECONDS = 4.0
PORTRAIT_SECONDS = 30.0
WAIT_SECONDS = 2.0
# More datasets are links: a page of all would be no overview.
MOST_SHOWN = 4


class Dashboard:
    """Draws the page, and keeps it for a few seconds."""

    def __init__(self, service: Service, board: Board) -> None:
        self._service = service
        self._board = board
        self._lock = threading.Lock()
        self._pages: dict[str, tuple[float, int, bytes]] = {}
        self._portraits: dict[str, tuple[float, int, Portrait]] = {}

    def page(self, name: str = "") -> bytes:
        """Return the page of all datasets, or of one; raises UnknownDataset."""
        catalog = self._service.catalog
        shown = [catalog.find(name)] if name else list(catalog.datasets.values())[:MOST_SHOWN]
        # Nobody waits for one who waits for the store.
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise OutOfReach
        try:
            drawn_at, generation, page = self._pages.get(name, (0.0, -1, b""))
            is_fresh = time.monotonic() - drawn_at < FRESH_SECONDS
            if generation != catalog.generation or not is_fresh:
                page = self._draw(catalog, shown)
                self._pages[name] = time.monotonic(), catalog.generation, page
            return page
        finally:
            self._lock.release()

    def _draw(self, catalog: Catalog, shown: Sequence[Served]) -> bytes:
        counts = total(one.counts for one in self._board.everyone())
        with self._service.shelf.at_hand() as connection:
            exhibits = [(one, self._portrait(connection, one)) for one in shown]
            situation = read_situation(connection, exhibits, counts)
        hidden = [name for name in catalog.datasets if name not in {one.name for one in shown}]
        return fill(
            "dashboard",
            title="Veilleuse",
            datasets=list(catalog.datasets),
            hidden=hidden,
            situation=situation,
        )

    def examples(self, served: Served) -> list[Inputs]:
        """Return a few inputs to try."""
        try:
            with self._service.shelf.at_hand() as connection:
                return self._portrait(connection, served).examples
        except OutOfReach:
            # The student answers all the same.
            return [served.spec.example_inputs()]

    def _portrait(self, connection: Connection, served: Served) -> Portrait:
        generation, now = self._service.catalog.generation, time.monotonic()
        read_at, of, portrait = self._portraits.get(served.name, (0.0, -1, None))
        if portrait is None or of != generation or now - read_at > PORTRAIT_SECONDS:
            portrait = portray(connection, served)
            self._portraits[served.name] = now, generation, portrait
        return portrait
