"""The work on one chunk: what is stale is computed, and written in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from db.errors import LeaseLost, VeilleuseError
from db.queue.chunk import Chunk, NotBefore, finish_chunk, records_in_chunk, return_chunk
from db.queue.quarantine import EnricherFailure, failures_in_chunk
from db.records.enrichment import Enrichment, enrichments_in_chunk
from db.records.prediction import Prediction, fingerprints_in_chunk
from db.records.record import Record
from enrich.enrichers.base import Unavailable
from enrich.executors.base import RecipeError
from enrich.planning.plan import PREDICTION

from .api_calls import each_call
from .bisect import RecordOutcome, RecordValue
from .context import WorkerContext
from .lease import Lease
from .lookup import each_look_up
from .step import ChunkTask, StepRun, each_outcome


@dataclass(frozen=True)
class _ChunkData:
    """A chunk's records, with the values and stamps that they have already."""

    records: list[Record]
    values: dict[int, dict[str, Any]]
    stamps: dict[int, dict[str, str]]
    refused: list[EnricherFailure]


@dataclass
class _ChunkWrites:
    """What a chunk's work gave.

    `fault` is what put a step off, `seconds` until when; records without a value of it wait.
    """

    enrichments: list[Enrichment] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    refused: list[EnricherFailure] = field(default_factory=list)
    fault: VeilleuseError | None = None
    seconds: float = 0.0

    def postponed(self, fault: VeilleuseError, seconds: float) -> None:
        """Note that a step must wait: the chunk does for the longest of them."""
        self.fault = self.fault or fault
        self.seconds = max(self.seconds, seconds)


@dataclass(frozen=True)
class ChunkResult:
    """How many records are done, and what put others off."""

    records: int = 0
    fault: VeilleuseError | None = None
    # Whether its lease was lost, or had been used up: somebody finished it, this worker perhaps.
    is_lost: bool = False


def work_chunk(context: WorkerContext, task: ChunkTask) -> ChunkResult:
    """Bring a leased chunk's records up to date.

    What cannot be done now is given back with what was made, and so is a chunk that is
    interrupted: only what was not computed yet is computed again.
    """
    results = _ChunkWrites()
    try:
        with Lease(context.store, task.chunk, context.settings.lease_seconds) as lease:
            with context.store.reading() as connection:
                data = _read_chunk(connection, task.chunk)
            results.refused += data.refused
            _compute(context, task, data, lease, results)
        if results.fault is None:
            context.write(partial(_finish, chunk=task.chunk, results=results))
            return ChunkResult(len(data.records))
        context.write(partial(_return, chunk=task.chunk, results=results))
        return ChunkResult(0, results.fault)
    except LeaseLost:
        return ChunkResult(is_lost=True)
    except BaseException:
        # Where the chunk is no longer ours, or the store out of reach, its lease runs out.
        with contextlib.suppress(LeaseLost, SQLAlchemyError):
            context.store.write(partial(_return, chunk=task.chunk, results=results))
        raise


def _finish(connection: Connection, chunk: Chunk, results: _ChunkWrites) -> None:
    finish_chunk(connection, chunk, results.enrichments, results.predictions, results.refused)


def _return(connection: Connection, chunk: Chunk, results: _ChunkWrites) -> None:
    not_before = NotBefore(results.seconds, str(results.fault or ""))
    made = results.enrichments, results.predictions, results.refused
    return_chunk(connection, chunk, *made, not_before)


def _read_chunk(connection: Connection, chunk: Chunk) -> _ChunkData:
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
    return _ChunkData(
        records, values, stamps, failures_in_chunk(connection, chunk.id, chunk.revision)
    )


def _compute(
    context: WorkerContext, task: ChunkTask, data: _ChunkData, lease: Lease, results: _ChunkWrites
) -> None:
    """Do each step of the plan, for the records that have what it reads."""
    # A call that was refused before the chunk was put off would be paid for again.
    refused = {(one.record_id, one.enricher) for one in data.refused}
    for step in task.dataset.plan:
        stale = [
            one for one in data.records if data.stamps[one.id].get(step.name) != step.fingerprint
        ]
        for one in stale:
            # A value under an older fingerprint must not be read for one of today's.
            data.values[one.id].pop(step.name, None)
        ready = [
            one
            for one in stale
            if data.values[one.id].keys() >= set(step.reads) and (one.id, step.name) not in refused
        ]
        if not ready:
            continue
        waiting = context.postponed.get(step.fingerprint)
        if waiting is not None and waiting.seconds:
            results.postponed(Unavailable(waiting.reason), waiting.seconds)
            continue
        step_run = StepRun(context, task, step, data.values)
        try:
            for outcome in _outcomes(step_run, ready, lease.check):
                _keep(step_run, outcome, data, results)
        except (RecipeError, Unavailable) as error:
            asked = getattr(error, "seconds", 0.0)
            off = context.postpone_step(step.fingerprint, str(error), asked)
            results.postponed(error, off.seconds)
        else:
            context.postponed.pop(step.fingerprint, None)


def _outcomes(
    step_run: StepRun, ready: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    kind = step_run.enricher.kind if step_run.enricher else "rows"
    if kind == "calls":
        return each_call(step_run, ready, check)
    if kind == "reference":
        return each_look_up(step_run, ready, check)
    return each_outcome(step_run, ready, check)


def _keep(
    step_run: StepRun, outcome: RecordOutcome, data: _ChunkData, results: _ChunkWrites
) -> None:
    record, step = outcome.record, step_run.step
    if not isinstance(outcome, RecordValue):
        results.refused.append(EnricherFailure(record.id, step.name, outcome.reason))
    elif step.name == PREDICTION:
        results.predictions.append(Prediction(record.key, outcome.value, step.fingerprint))
    else:
        data.values[record.id][step.name] = outcome.value
        column = step_run.enricher.listing_column if step_run.enricher else ""
        made = Enrichment(record.id, step.name, step.fingerprint, outcome.value, column)
        results.enrichments.append(made)
