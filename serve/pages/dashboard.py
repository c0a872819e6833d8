"""The dashboard: everything that goes on, drawn once for all who look."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from db.field import Inputs

from ..board import Board
from ..catalog import Catalog, Served
from ..service import Service
from ..tally import total
from .page import fill
from .portrait import Portrait, portray
from .situation import read_situation

# However many browsers ask, the store is asked no more often than this.
FRESH_SECONDS = 4.0
PORTRAIT_SECONDS = 30.0
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
        with self._lock:
            drawn_at, generation, page = self._pages.get(name, (0.0, -1, b""))
            now = time.monotonic()
            if generation == catalog.generation and now - drawn_at < FRESH_SECONDS:
                return page
            page = self._draw(catalog, shown)
            self._pages[name] = time.monotonic(), catalog.generation, page
            return page

    def _draw(self, catalog: Catalog, shown: Sequence[Served]) -> bytes:
        connection = self._service.shelf.lend()
        exhibits = [(one, self._portrait(one)) for one in shown]
        counts = total(one.counts for one in self._board.everyone())
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
        return self._portrait(served).examples

    def _portrait(self, served: Served) -> Portrait:
        generation, now = self._service.catalog.generation, time.monotonic()
        read_at, of, portrait = self._portraits.get(served.name, (0.0, -1, None))
        if portrait is None or of != generation or now - read_at > PORTRAIT_SECONDS:
            portrait = portray(self._service.shelf.lend(), served)
            self._portraits[served.name] = now, generation, portrait
        return portrait
