"""Measures the overhead of store, leases and compute child over enrichers on lists in memory."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.migrations import upgrade
from db.records.dataset import Dataset, find_dataset, register_dataset
from db.records.encoded_inputs import batches
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


class Cost(NamedTuple):
    """Seconds by the clock, and of CPU time of this process and its compute child."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Overhead:
    """What the same values cost in memory and through the store."""

    records: int
    enrichers: tuple[str, ...]
    memory: Cost
    store: Cost

    @property
    def microseconds(self) -> float:
        """The microseconds that store, leases and child add per record and enricher."""
        return self._per_value(self.store.seconds - self.memory.seconds)

    @property
    def cpu_microseconds(self) -> float:
        """The same in CPU time, which other programs on the machine change less."""
        return self._per_value(self.store.cpu_seconds - self.memory.cpu_seconds)

    def _per_value(self, seconds: float) -> float:
        return seconds / (self.records * len(self.enrichers)) * 1e6


def sentences(count: int) -> Iterator[str]:
    """Yield that many different sentences."""
    words = SENTENCE.split()
    for number in range(count):
        start = number % len(words)
        yield " ".join((*words[start:], *words[:start], str(number)))


def measure_overhead(records: int, enrichers: Sequence[str], url: str = "") -> Overhead:
    """Enrich the same records in memory and through a store, and return what both cost.

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


@contextmanager
def _measured(costs: list[Cost]) -> Iterator[None]:
    """Append what the block costs."""
    began, cpu_began = time.perf_counter(), _cpu_seconds()
    yield
    costs.append(Cost(time.perf_counter() - began, _cpu_seconds() - cpu_began))


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that live."""
    children = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(times.user + times.system for times in children)


def _through_store(store: Store, settings: Settings, dataset: Dataset, records: int) -> Cost:
    costs: list[Cost] = []
    _add(store, dataset, sentences(BATCH_ROWS))
    with working(store, settings, threading.Event()) as worker:
        worker.enrich()
        _add(store, dataset, sentences(records + BATCH_ROWS))
        with _measured(costs):
            worker.enrich()
    return costs[0]


def _in_memory(spec: DatasetSpec, records: int, settings: Settings) -> Cost:
    """Return what it costs to compute all values, convert them for storage and append to a list."""
    steps = [find_enricher(spec, name, settings.code_paths).start() for name in spec.enrichers]
    rows = [{"sentence": text} for text in sentences(records)]
    for step in steps:
        step(rows[:BATCH_ROWS])
    values: list[list[Any]] = []
    costs: list[Cost] = []
    with _measured(costs):
        for step in steps:
            values.extend(
                [to_value(value) for value in step(batch)] for batch in batches(rows, BATCH_ROWS)
            )
    return costs[0]
