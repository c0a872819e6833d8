"""The dashboard: everything that goes on, drawn once for all who look."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sqlalchemy import Connection

from db.spec.field import Inputs
from serve.prediction.catalog import Catalog, Served
from serve.prediction.service import PredictionService
from serve.store_reader import StoreUnreachable
from serve.telemetry.counters import total
from serve.telemetry.multiprocess import MultiprocessMetrics

from .dashboard_data import read_dashboard_data
from .model_card import ModelCard, make_model_card
from .rendering import fill

# However many browsers ask, the store is asked no more often than this.
FRESH_SECONDS = 4.0
MODEL_CARD_SECONDS = 30.0
WAIT_SECONDS = 2.0
# More datasets are links: a page of all would be no overview.
MOST_SHOWN = 4


class Dashboard:
    """Draws the page, and keeps it for a few seconds."""

    def __init__(self, service: PredictionService, process_metrics: MultiprocessMetrics) -> None:
        self._service = service
        self._process_metrics = process_metrics
        self._lock = threading.Lock()
        self._pages: dict[str, tuple[float, int, bytes]] = {}
        self._model_cards: dict[str, tuple[float, int, ModelCard]] = {}

    def page(self, name: str = "") -> bytes:
        """Return the page of all datasets, or of one; raises UnknownDataset."""
        catalog = self._service.catalog
        shown = [catalog.find(name)] if name else list(catalog.datasets.values())[:MOST_SHOWN]
        # Nobody waits for one who waits for the store.
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise StoreUnreachable
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
        counts = total(one.counts for one in self._process_metrics.read_all())
        with self._service.store_reader.reading() as connection:
            panels = [(one, self._model_card(connection, one)) for one in shown]
            data = read_dashboard_data(connection, panels, counts)
        hidden = [name for name in catalog.datasets if name not in {one.name for one in shown}]
        return fill(
            "dashboard",
            title="Veilleuse",
            datasets=list(catalog.datasets),
            hidden=hidden,
            data=data,
        )

    def examples(self, served: Served) -> list[Inputs]:
        """Return a few inputs to try."""
        try:
            with self._service.store_reader.reading() as connection:
                return self._model_card(connection, served).examples
        except StoreUnreachable:
            # The student answers all the same.
            return [served.spec.example_inputs()]

    def _model_card(self, connection: Connection, served: Served) -> ModelCard:
        generation, now = self._service.catalog.generation, time.monotonic()
        read_at, of, model_card = self._model_cards.get(served.name, (0.0, -1, None))
        if model_card is None or of != generation or now - read_at > MODEL_CARD_SECONDS:
            model_card = make_model_card(connection, served)
            self._model_cards[served.name] = now, generation, model_card
        return model_card
