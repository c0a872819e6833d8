"""The work on one chunk: what is stale is computed, and written in one transaction."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from db.chunk import Chunk, fail_chunk, finish_chunk, records_in_chunk, return_chunk
from db.dataset import Dataset, Step
from db.enrichment import Enrichment, enrichments_in_chunk
from db.errors import EnricherError, LeaseLost
from db.model import Model, model_name, read_student, read_teacher
from db.prediction import Prediction, fingerprints_in_chunk
from db.record import Record
from db.settings import Settings
from db.spec import encode_spec
from db.store import Store

from .enricher import find_enricher
from .executor import Executor, MicroBatch
from .lease import Lease
from .plan import PREDICTION
from .recipe import EnricherRecipe, PredictionRecipe, Recipe


@dataclass
class Bench:
    """What a worker works with."""

    store: Store
    settings: Settings
    executor: Executor
    worker_id: int
    batches: dict[str, MicroBatch] = field(default_factory=dict)


@dataclass(frozen=True)
class _Load:
    """A chunk's records, with the values and stamps that they have already."""

    records: list[Record]
    values: dict[int, dict[str, Any]]
    stamps: dict[int, dict[str, str]]


def work_chunk(bench: Bench, found: Dataset, model: Model | None, chunk: Chunk) -> int:
    """Bring a leased chunk's records up to date; returns how many.

    A chunk that fails is given back and counted against its records; one that is interrupted is
    given back as if it had never been taken.
    """
    try:
        with Lease(bench.store, chunk, bench.worker_id, bench.settings.lease_seconds) as lease:
            with bench.store.reading() as connection:
                load = _load(connection, chunk)
            enrichments, predictions = _compute(bench, found, model, load, lease)
        with bench.store.writing() as connection:
            finish_chunk(connection, chunk, enrichments, predictions)
    except EnricherError as error:
        with bench.store.writing() as connection:
            fail_chunk(connection, chunk, str(error))
        return 0
    except LeaseLost:
        return 0
    except BaseException:
        # Where the chunk is no longer ours there is nothing to give back.
        with contextlib.suppress(LeaseLost), bench.store.writing() as connection:
            return_chunk(connection, chunk)
        raise
    return len(load.records)


def _load(connection: Connection, chunk: Chunk) -> _Load:
    records = records_in_chunk(connection, chunk)
    made = enrichments_in_chunk(connection, chunk.id)
    predicted = fingerprints_in_chunk(connection, chunk.dataset_id, chunk.id)
    values: dict[int, dict[str, Any]] = {}
    stamps: dict[int, dict[str, str]] = {}
    for record in records:
        there = made.get(record.id, {})
        values[record.id] = {**record.inputs, **{name: one.value for name, one in there.items()}}
        stamps[record.id] = {name: one.fingerprint for name, one in there.items()}
        if record.key in predicted:
            stamps[record.id][PREDICTION] = predicted[record.key]
    return _Load(records, values, stamps)


def _compute(
    bench: Bench, found: Dataset, model: Model | None, load: _Load, lease: Lease
) -> tuple[list[Enrichment], list[Prediction]]:
    enrichments: list[Enrichment] = []
    predictions: list[Prediction] = []
    for step in found.plan:
        stale = [
            one for one in load.records if load.stamps[one.id].get(step.name) != step.fingerprint
        ]
        reads = _reads(bench, found, step)
        recipe = _recipe(bench, found, model, step)
        for some, values in _batches(bench, step, recipe, reads, stale, load):
            lease.check()
            for one, value in zip(some, values, strict=True):
                if step.name == PREDICTION:
                    predictions.append(Prediction(one.key, value, step.fingerprint))
                else:
                    load.values[one.id][step.name] = value
                    enrichments.append(Enrichment(one.id, step.name, step.fingerprint, value))
    return enrichments, predictions


def _batches(
    bench: Bench,
    step: Step,
    recipe: Callable[[], Recipe],
    reads: Sequence[str],
    stale: list[Record],
    load: _Load,
) -> Iterator[tuple[list[Record], list[Any]]]:
    """Yield records with their values, in batches that take about as long as they should."""
    batch = bench.batches.setdefault(step.fingerprint, MicroBatch())
    start = 0
    while start < len(stale):
        some = stale[start : start + batch.rows]
        rows = [{name: load.values[one.id][name] for name in reads} for one in some]
        started = time.monotonic()
        values = bench.executor.compute(step.fingerprint, recipe, rows)
        batch.measure(len(some), time.monotonic() - started)
        start += len(some)
        yield some, values


def _reads(bench: Bench, found: Dataset, step: Step) -> Sequence[str]:
    if step.name == PREDICTION:
        return [*found.spec.fields, *step.reads]
    return find_enricher(found.spec, step.name, bench.settings.code_paths).reads


def _recipe(bench: Bench, found: Dataset, model: Model | None, step: Step) -> Callable[[], Recipe]:
    spec, code_paths = encode_spec(found.spec), bench.settings.code_paths

    def of_prediction() -> Recipe:
        if model is None:
            raise EnricherError(f"{found.name}: there is no active model to predict with")
        with bench.store.reading() as connection:
            teacher, student = read_teacher(connection, model), read_student(connection, model)
        name = model_name(found, model.version)
        return PredictionRecipe(spec, name, step.reads, teacher, student, code_paths)

    if step.name == PREDICTION:
        return of_prediction
    return lambda: EnricherRecipe(spec, step.name, code_paths)
