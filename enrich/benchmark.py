"""Measures the overhead of store, leases and compute child over enrichers on lists in memory."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.migrations import upgrade
from db.records.dataset import Dataset, find_dataset, register_dataset
from db.records.record import batches
from db.settings import Settings, load_settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store.store import Store, connect_store
from enrich.enrichers.base import find_enricher
from enrich.enrichers.value import to_value
from enrich.worker.worker import working

BATCH_ROWS = 500
NAME = "overhead"
SENTENCE = "je cherche un hôtel près de la gare pour deux nuits avec vue sur le port"


@dataclass(frozen=True)
class Overhead:
    """Seconds for the same values in memory and through the store."""

    records: int
    enrichers: tuple[str, ...]
    memory_seconds: float
    store_seconds: float

    @property
    def microseconds(self) -> float:
        """The microseconds that store, leases and child add per record and enricher."""
        values = self.records * len(self.enrichers)
        return (self.store_seconds - self.memory_seconds) / values * 1e6


def sentences(count: int) -> Iterator[str]:
    """Yield that many different sentences."""
    words = SENTENCE.split()
    for number in range(count):
        start = number % len(words)
        yield " ".join((*words[start:], *words[:start], str(number)))


def measure_overhead(records: int, enrichers: Sequence[str], url: str = "") -> Overhead:
    """Enrich the same records in memory and through a store, and return the seconds of both.

    The store is the empty one at `url`, or a new SQLite file. Both ways are warmed up first:
    starting a child and loading a model are not costs per record.
    """
    with _store(url) as (store, settings):
        spec = DatasetSpec(
            name=NAME,
            kind="regression",
            target="price",
            fields={"sentence": TextField()},
            enrichers={name: EnricherSpec() for name in enrichers},
        )
        with store.writing() as connection:
            register_dataset(connection, spec)
            dataset = find_dataset(connection, NAME)
        in_store = _through_store(store, settings, dataset, records)
    in_memory = _in_memory(spec, records, settings)
    return Overhead(records, tuple(enrichers), in_memory, in_store)


@contextmanager
def _store(url: str) -> Iterator[tuple[Store, Settings]]:
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"DATABASE_URL": url or f"sqlite:///{folder}/overhead.db"})
        store = connect_store(settings)
        try:
            upgrade(store)
            yield store, settings
        finally:
            store.close()


def _add(store: Store, dataset: Dataset, texts: Iterator[str]) -> None:
    for batch in batches(texts, BATCH_ROWS):
        rows = []
        for text in batch:
            inputs = dataset.spec.read_inputs({"sentence": text})
            rows.append(NewRow(dataset.spec.key(inputs), inputs))
        with store.writing() as connection:
            add_rows(connection, dataset, rows, "import")


def _through_store(store: Store, settings: Settings, dataset: Dataset, records: int) -> float:
    _add(store, dataset, sentences(BATCH_ROWS))
    with working(store, settings, threading.Event()) as worker:
        worker.enrich()
        _add(store, dataset, sentences(records + BATCH_ROWS))
        began = time.perf_counter()
        worker.enrich()
        return time.perf_counter() - began


def _in_memory(spec: DatasetSpec, records: int, settings: Settings) -> float:
    """Return the seconds to compute all values, convert them for storage and append to a list."""
    steps = [find_enricher(spec, name, settings.code_paths).start() for name in spec.enrichers]
    rows = [{"sentence": text} for text in sentences(records)]
    for step in steps:
        step(rows[:BATCH_ROWS])
    values: list[list[Any]] = []
    began = time.perf_counter()
    for step in steps:
        values.extend(
            [to_value(value) for value in step(batch)] for batch in batches(rows, BATCH_ROWS)
        )
    return time.perf_counter() - began
