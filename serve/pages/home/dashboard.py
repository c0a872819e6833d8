"""The first page and the page of the server, rendered at most every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from db.records.dataset import Dataset
from db.spec.field import Inputs
from db.traffic.web_load import WebLoad, read_load
from serve.api.access.host_check import exposure_warning, may_list_records
from serve.pages.language.translation import gettext as _
from serve.pages.rendering import fill
from serve.prediction.catalog import Catalog, Served
from serve.prediction.service import PredictionService
from serve.store_reader import StoreUnreachable
from serve.telemetry.counters import total
from serve.telemetry.coverage_reader import CoverageReader
from serve.telemetry.multiprocess import MultiprocessMetrics

from .dashboard_data import DashboardData, ShownDataset, read_dashboard_data
from .dataset_counts import DatasetFacts, read_dataset_facts
from .model_card import ModelCard, make_model_card
from .page_cache import PageCache
from .things_to_do import server_tasks
from .traffic import read_memory, traffic_of

T = TypeVar("T")

# How long a model card and the counts of a dataset are kept; what took long is kept for longer.
MODEL_CARD_SECONDS = 30.0
COUNT_SECONDS = 10.0
PAUSE_PER_COST = 100.0
# Further datasets have one line each, so that the page stays an overview.
MOST_SHOWN = 4


@dataclass(frozen=True)
class _Kept(Generic[T]):
    """A value that was read as of a generation, and until when it is kept."""

    value: T
    generation: int
    until: float


class Dashboard:
    """Renders the first page and the page of the server, and caches them."""

    def __init__(self, service: PredictionService, process_metrics: MultiprocessMetrics) -> None:
        self._service = service
        self._process_metrics = process_metrics
        settings = service.settings
        # The page is cached for all, so it shows only what everybody may see that reads.
        self._shows_rows = bool(settings.read_keys) or may_list_records(settings)
        self._warning = exposure_warning(settings)
        self._has_sessions = bool(settings.read_keys)
        self._cache = PageCache()
        self._coverage_reader = CoverageReader()
        self._model_cards: dict[str, _Kept[ModelCard]] = {}
        self._dataset_facts: dict[str, _Kept[DatasetFacts]] = {}

    def page(self, name: str = "", *, may_change: bool = False) -> bytes:
        """Return the page of all datasets, or of one; with the forms of those who may change.

        Raises UnknownDataset, or StoreUnreachable if another thread renders for too long.
        """
        catalog = self._service.catalog
        shown = [catalog.find(name)] if name else list(catalog.datasets.values())[:MOST_SHOWN]
        render = self._render_dataset if name else self._render_all
        return self._cache.get(
            ("/", name, may_change),
            catalog.generation,
            lambda: render(catalog, shown, may_change=may_change),
        )

    def server_page(self) -> bytes:
        """Return the page about the server and its workers; raises StoreUnreachable."""
        catalog = self._service.catalog
        return self._cache.get("/server", catalog.generation, lambda: self._render_server(catalog))

    def _render_all(self, catalog: Catalog, shown: Sequence[Served], *, may_change: bool) -> bytes:
        shown_names = {served.name for served in shown}
        hidden = [served for name, served in catalog.datasets.items() if name not in shown_names]
        data = self._read_data(shown)
        # A dataset whose spec cannot be read has no card.
        others = [it for it in data.troubles.faults if it.dataset not in shown_names]
        alerts = server_tasks(data.workers, shows_rows=self._shows_rows)
        lists = {"hidden": hidden, "alerts": alerts, "other_faults": others}
        return self._fill("dashboard", catalog, data=data, may_change=may_change, **lists)

    def _render_dataset(
        self, catalog: Catalog, shown: Sequence[Served], *, may_change: bool
    ) -> bytes:
        data, name = self._read_data(shown), shown[0].name
        return self._fill(
            "dataset",
            catalog,
            title=shown[0].spec.title or name,
            dataset=name,
            data=data,
            panel=data.panels[0],
            may_change=may_change,
        )

    def _render_server(self, catalog: Catalog) -> bytes:
        with self._service.store_reader.reading() as connection:
            load = read_load(connection) or WebLoad()
        counts = total(process.counts for process in self._process_metrics.read_all())
        traffic = traffic_of(load, counts, read_memory(self._process_metrics))
        data = self._read_data([])
        return self._fill("server", catalog, title=_("Server"), data=data, traffic=traffic)

    def _fill(self, template: str, catalog: Catalog, **values: object) -> bytes:
        return fill(
            template,
            **{"title": "Veilleuse", **values},
            datasets=list(catalog.datasets),
            here="/server" if template == "server" else "/",
            warning=self._warning,
            shows_rows=self._shows_rows,
            has_sessions=self._has_sessions,
        )

    def _read_data(self, shown: Sequence[Served]) -> DashboardData:
        with self._service.store_reader.reading() as connection:
            cards = [(served, self._model_card(connection, served)) for served in shown]
            datasets = [
                ShownDataset(served, card, self._facts(connection, served, card))
                for served, card in cards
            ]
            coverage = self._coverage_reader.read(connection) if shown else []
            return read_dashboard_data(connection, datasets, coverage)

    def examples(self, served: Served) -> list[Inputs]:
        """Return a few inputs of a dataset to try."""
        try:
            with self._service.store_reader.reading() as connection:
                return self._model_card(connection, served).examples
        except StoreUnreachable:
            # The student predicts without the store, so the form stays useful.
            return [served.spec.example_inputs()]

    def _model_card(self, connection: Connection, served: Served) -> ModelCard:
        return _read_kept(
            self._model_cards,
            served.name,
            self._service.catalog.generation,
            lambda: make_model_card(connection, served, shows_rows=self._shows_rows),
            MODEL_CARD_SECONDS,
        )

    def _facts(self, connection: Connection, served: Served, model_card: ModelCard) -> DatasetFacts:
        model = model_card.model
        # The number of the generation would have all counted again after each chunk.
        return _read_kept(
            self._dataset_facts,
            served.name,
            model.id if model else 0,
            lambda: read_dataset_facts(
                connection,
                Dataset(served.id, served.spec, (), 0),
                model.made_at if model else None,
            ),
            COUNT_SECONDS,
        )


def _read_kept(
    kept: dict[str, _Kept[T]], name: str, generation: int, read: Callable[[], T], seconds: float
) -> T:
    """Return the kept value of a name, or read it again if it is old or of another generation."""
    known = kept.get(name)
    began = time.monotonic()
    if known is not None and known.generation == generation and began < known.until:
        return known.value
    value = read()
    ended = time.monotonic()
    until = ended + max(seconds, PAUSE_PER_COST * (ended - began))
    kept[name] = _Kept(value, generation, until)
    return value
