"""The dashboard page, rendered at most every few seconds however many browsers ask for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sqlalchemy import Connection

from db.spec.field import Inputs
from serve.api.access.host_check import exposure_warning, may_list_records
from serve.pages.rendering import fill
from serve.prediction.catalog import Catalog, Served
from serve.prediction.service import PredictionService
from serve.store_reader import StoreUnreachable
from serve.telemetry.counters import total
from serve.telemetry.multiprocess import MultiprocessMetrics

from .dashboard_data import read_dashboard_data
from .model_card import ModelCard, make_model_card

# How long a rendered page and a model card are kept, which limits the load on the store.
FRESH_SECONDS = 4.0
MODEL_CARD_SECONDS = 30.0
WAIT_SECONDS = 2.0
# Further datasets are shown as links, so that the page stays an overview.
MOST_SHOWN = 4


class Dashboard:
    """Renders the dashboard, and caches it for FRESH_SECONDS."""

    def __init__(self, service: PredictionService, process_metrics: MultiprocessMetrics) -> None:
        self._service = service
        self._process_metrics = process_metrics
        settings = service.settings
        # The page is the same for all, so it shows only what everybody may see that reads.
        self._shows_rows = bool(settings.read_keys) or may_list_records(settings)
        self._warning = exposure_warning(settings)
        self._has_sessions = bool(settings.read_keys)
        self._lock = threading.Lock()
        self._pages: dict[str, tuple[float, int, bytes]] = {}
        self._model_cards: dict[str, tuple[float, int, ModelCard]] = {}

    def page(self, name: str = "") -> bytes:
        """Return the page of all datasets, or of one.

        Raises UnknownDataset, or StoreUnreachable if another thread renders for too long.
        """
        catalog = self._service.catalog
        shown = [catalog.find(name)] if name else list(catalog.datasets.values())[:MOST_SHOWN]
        # One thread may wait for a slow store; the others must not pile up behind it.
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise StoreUnreachable
        try:
            rendered_at, generation, page = self._pages.get(name, (0.0, -1, b""))
            is_fresh = time.monotonic() - rendered_at < FRESH_SECONDS
            if generation != catalog.generation or not is_fresh:
                page = self._render(catalog, shown)
                self._pages[name] = time.monotonic(), catalog.generation, page
            return page
        finally:
            self._lock.release()

    def _render(self, catalog: Catalog, shown: Sequence[Served]) -> bytes:
        counts = total(process.counts for process in self._process_metrics.read_all())
        with self._service.store_reader.reading() as connection:
            cards = [(served, self._model_card(connection, served)) for served in shown]
            data = read_dashboard_data(connection, cards, counts)
        shown_names = {served.name for served in shown}
        hidden = [name for name in catalog.datasets if name not in shown_names]
        return fill(
            "dashboard",
            title="Veilleuse",
            datasets=list(catalog.datasets),
            hidden=hidden,
            data=data,
            warning=self._warning,
            shows_rows=self._shows_rows,
            has_sessions=self._has_sessions,
        )

    def examples(self, served: Served) -> list[Inputs]:
        """Return a few inputs of a dataset to try."""
        try:
            with self._service.store_reader.reading() as connection:
                return self._model_card(connection, served).examples
        except StoreUnreachable:
            # The student predicts without the store, so the form stays useful.
            return [served.spec.example_inputs()]

    def _model_card(self, connection: Connection, served: Served) -> ModelCard:
        generation, now = self._service.catalog.generation, time.monotonic()
        read_at, read_generation, model_card = self._model_cards.get(served.name, (0.0, -1, None))
        is_fresh = read_generation == generation and now - read_at <= MODEL_CARD_SECONDS
        if model_card is None or not is_fresh:
            model_card = make_model_card(connection, served, shows_rows=self._shows_rows)
            self._model_cards[served.name] = now, generation, model_card
        return model_card
