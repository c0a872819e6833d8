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
from .executor import ChildDied, Executor, MicroBatch
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
        with Lease(bench.store, chunk, bench.settings.lease_seconds) as lease:
            with bench.store.reading() as connection:
                load = _load(connection, chunk)
            made = _compute(bench, found, model, load, lease)
        bench.store.write(
            lambda connection: finish_chunk(
                connection, chunk, made.enrichments, made.predictions, made.refused
            )
        )
    except EnricherError as error:
        words = str(error)
        with contextlib.suppress(LeaseLost):
            bench.store.write(lambda connection: fail_chunk(connection, chunk, words))
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


@dataclass(frozen=True)
class _Made:
    """What a chunk's work gave; `refused` says why a record, by its id, got no prediction."""

    enrichments: list[Enrichment] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def _compute(bench: Bench, found: Dataset, model: Model | None, load: _Load, lease: Lease) -> _Made:
    made = _Made()
    for step in found.plan:
        stale = [
            one for one in load.records if load.stamps[one.id].get(step.name) != step.fingerprint
        ]
        reads = _reads(bench, found, step)
        job = _Job(bench, step, _recipe(bench, found, model, step), reads, load)
        for some in _micro_batches(job, stale):
            lease.check()
            if step.name == PREDICTION:
                _predict(job, some, made)
                continue
            for one, value in zip(some, job.compute(some), strict=True):
                load.values[one.id][step.name] = value
                made.enrichments.append(Enrichment(one.id, step.name, step.fingerprint, value))
    return made


@dataclass(frozen=True)
class _Job:
    """A step on a chunk."""

    bench: Bench
    step: Step
    recipe: Callable[[], Recipe]
    reads: Sequence[str]
    load: _Load

    def compute(self, some: Sequence[Record]) -> list[Any]:
        """Return a value for each record."""
        rows = [{name: self.load.values[one.id][name] for name in self.reads} for one in some]
        return self.bench.executor.compute(self.step.fingerprint, self.recipe, rows)


def _micro_batches(job: _Job, stale: list[Record]) -> Iterator[list[Record]]:
    """Yield records in batches whose work takes about as long as it should."""
    batch = job.bench.batches.setdefault(job.step.fingerprint, MicroBatch())
    start = 0
    while start < len(stale):
        some = stale[start : start + batch.rows]
        began = time.monotonic()
        yield some
        batch.measure(len(some), time.monotonic() - began)
        start += len(some)


def _predict(job: _Job, some: list[Record], made: _Made) -> None:
    """Predict, and find out which record the teacher cannot take, if there is one.

    The enrichments are none the worse for that: they are what the next teacher learns from.
    """
    try:
        bodies = job.compute(some)
    except ChildDied:
        raise
    except EnricherError as error:
        if len(some) == 1:
            made.refused[some[0].id] = str(error)
            return
        middle = len(some) // 2
        _predict(job, some[:middle], made)
        _predict(job, some[middle:], made)
        return
    stamp = job.step.fingerprint
    made.predictions.extend(
        Prediction(one.key, body, stamp) for one, body in zip(some, bodies, strict=True)
    )


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
        return PredictionRecipe(spec, name, model.metrics["columns"], teacher, student, code_paths)

    if step.name == PREDICTION:
        return of_prediction
    return lambda: EnricherRecipe(spec, step.name, code_paths)
