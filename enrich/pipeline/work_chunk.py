"""The work on one chunk: compute what is stale, and write it in one transaction."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, SQLAlchemyError

from db.errors import LeaseLost, StoreError, VeilleuseError, one_line
from db.queue.chunk import (
    Chunk,
    NotBefore,
    fail_chunk,
    finish_chunk,
    records_in_chunk,
    return_chunk,
)
from db.queue.fault import step_subject
from db.queue.quarantine import EnricherFailure, failures_in_chunk
from db.queue.run_history import error_words
from db.records.dataset import PlanStep
from db.records.enrichment import Enrichment, enrichments_in_chunk
from db.records.prediction import Prediction, fingerprints_in_chunk
from db.records.record import Record
from db.spec.dataset_spec import PREDICTION
from enrich.enrichers.base import Unavailable
from enrich.executors.base import RecipeError, Stopped, Suspended
from enrich.executors.recipe import PredictedRow

from .api_calls import ServiceDown, each_call
from .bisect import RecordOutcome, RecordValue
from .context import WorkerContext
from .lease_renewal import Lease
from .lookup import each_finding, each_table_row
from .step import ChunkTask, StepRun, each_outcome

T = TypeVar("T")

LOG = "the log of the worker"

log = logging.getLogger("veilleuse.worker")


@dataclass(frozen=True)
class _ChunkData:
    """A chunk's records, with their values and the fingerprints of these, by record id."""

    records: list[Record]
    values: dict[int, dict[str, Any]]
    fingerprints: dict[int, dict[str, str]]
    failures: list[EnricherFailure]


@dataclass
class _ChunkWrites:
    """What is to be written of a chunk.

    `fault` is why a step was postponed, for `seconds`; records without its value stay stale.
    """

    enrichments: list[Enrichment] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    failures: list[EnricherFailure] = field(default_factory=list)
    fault: VeilleuseError | None = None
    seconds: float = 0.0

    def postpone(self, fault: VeilleuseError, seconds: float) -> None:
        """Remember that a step must wait; the chunk waits for the longest of them."""
        self.fault = self.fault or fault
        self.seconds = max(self.seconds, seconds)


@dataclass(frozen=True)
class ChunkResult:
    """How many records are done, and why others were postponed."""

    records: int = 0
    fault: VeilleuseError | None = None
    # Whether the lease was lost or used up: another worker finished the chunk, or this one did.
    is_lost: bool = False


@dataclass(frozen=True)
class ComputedChunk:
    """A chunk whose results are still to be written; its lease is renewed until then."""

    context: WorkerContext
    task: ChunkTask
    records: int
    writes: _ChunkWrites
    until_written: contextlib.ExitStack

    @property
    def has_failures(self) -> bool:
        """Whether some of its records are to be quarantined."""
        return bool(self.writes.failures)

    def write(self) -> ChunkResult:
        """Write the results and end the chunk, in one transaction."""
        self.until_written.close()
        write = partial(_write, self.context, self.task.chunk, self.writes, self.records)
        return _give_back_unless(self.context, self.task.chunk, self.writes, write)


def work_chunk(
    context: WorkerContext, task: ChunkTask, on_read: Callable[[], None] = lambda: None
) -> ComputedChunk | ChunkResult:
    """Compute what is stale in a leased chunk; `on_read` is called before the computing begins.

    A chunk with a postponed step, or one that is interrupted, is given back with what was made:
    only what was not computed yet is computed again.
    """
    writes = _ChunkWrites()
    work = partial(_read_and_compute, context, task, writes, on_read)
    return _give_back_unless(context, task.chunk, writes, work)


def _read_and_compute(
    context: WorkerContext, task: ChunkTask, writes: _ChunkWrites, on_read: Callable[[], None]
) -> ComputedChunk | ChunkResult:
    with contextlib.ExitStack() as leased:
        seconds = context.settings.lease_seconds
        lease = leased.enter_context(Lease(context.store, task.chunk, seconds))
        with context.store.reading() as connection:
            data = _read_chunk(connection, task.chunk)
        on_read()
        writes.failures += data.failures
        _compute(context, task, data, lease, writes)
        if writes.fault is None:
            return ComputedChunk(context, task, len(data.records), writes, leased.pop_all())
    context.write(partial(_return, chunk=task.chunk, writes=writes))
    return ChunkResult(0, writes.fault)


def _give_back_unless(
    context: WorkerContext, chunk: Chunk, writes: _ChunkWrites, work: Callable[[], T]
) -> T | ChunkResult:
    """Run work on a chunk, which is given back with what was made unless the work succeeds."""
    try:
        return work()
    except LeaseLost:
        return ChunkResult(is_lost=True)
    except BaseException:
        # Where another worker has the chunk, or the store cannot be reached, the lease runs out.
        with contextlib.suppress(LeaseLost, SQLAlchemyError):
            context.store.write(partial(_return, chunk=chunk, writes=writes))
        raise


def _write(context: WorkerContext, chunk: Chunk, writes: _ChunkWrites, records: int) -> ChunkResult:
    """Write a chunk's results; a chunk with a value that the store refuses is split."""
    try:
        context.write(partial(_finish, chunk=chunk, writes=writes))
    except (DataError, OverflowError, UnicodeError) as error:
        reason = one_line(f"the store refuses a value: {error_words(error, LOG)}")
        context.write(partial(fail_chunk, chunk=chunk, error=reason))
        return ChunkResult(0, StoreError(reason))
    return ChunkResult(records)


def _finish(connection: Connection, chunk: Chunk, writes: _ChunkWrites) -> None:
    finish_chunk(connection, chunk, writes.enrichments, writes.predictions, writes.failures)


def _return(connection: Connection, chunk: Chunk, writes: _ChunkWrites) -> None:
    not_before = NotBefore(writes.seconds, one_line(str(writes.fault or "")))
    made = writes.enrichments, writes.predictions, writes.failures
    return_chunk(connection, chunk, *made, not_before)


def _read_chunk(connection: Connection, chunk: Chunk) -> _ChunkData:
    records = records_in_chunk(connection, chunk)
    enriched = enrichments_in_chunk(connection, chunk.id)
    predicted = fingerprints_in_chunk(connection, chunk.dataset_id, chunk.id)
    values: dict[int, dict[str, Any]] = {}
    fingerprints: dict[int, dict[str, str]] = {}
    for record in records:
        known = enriched.get(record.id, {})
        values[record.id] = {**record.inputs, **{name: one.value for name, one in known.items()}}
        fingerprints[record.id] = {name: one.fingerprint for name, one in known.items()}
        if record.key in predicted:
            fingerprints[record.id][PREDICTION] = predicted[record.key]
    failures = failures_in_chunk(connection, chunk.id, chunk.revision)
    return _ChunkData(records, values, fingerprints, failures)


def _compute(
    context: WorkerContext, task: ChunkTask, data: _ChunkData, lease: Lease, writes: _ChunkWrites
) -> None:
    """Run each step of the plan on the records that have what it reads."""
    # A call that failed before the chunk was postponed would be paid for again.
    failed = {(one.record_id, one.enricher) for one in data.failures}
    for step in task.planned.dataset.plan:
        ready = [one for one in _stale(data, step) if (one.id, step.name) not in failed]
        if not ready:
            continue
        waiting = context.postponed.get(step.fingerprint)
        if waiting is not None and waiting.seconds:
            writes.postpone(Unavailable(waiting.reason), waiting.seconds)
            continue
        step_run = StepRun(context, task.planned, step, data.values)
        try:
            for outcome in _outcomes(step_run, ready, lease.check):
                _collect(step_run, outcome, data, writes)
        except (Stopped, Suspended, LeaseLost, SQLAlchemyError):
            raise
        except Exception as error:  # noqa: BLE001  another step may work
            writes.postpone(*_postpone(step_run, error))
        else:
            context.postponed.pop(step.fingerprint, None)
            context.clear_fault(task.planned.dataset, step_subject(step.name))


def _postpone(step_run: StepRun, error: Exception) -> tuple[VeilleuseError, float]:
    """Postpone a step that failed; return why, and for how long.

    A fault of the step or its service is recorded; a pause that a service asked for is none.
    """
    context, step = step_run.context, step_run.step
    if isinstance(error, RecipeError | Unavailable):
        fault: VeilleuseError = error
    else:
        if not isinstance(error, VeilleuseError):
            log.error("%s of %s", step.name, step_run.planned.dataset.name, exc_info=error)
        fault = RecipeError(f"{step.name}: {error_words(error, LOG)}")
    seconds = getattr(error, "seconds", 0.0)
    wait = context.postpone_step(step.fingerprint, str(fault), seconds).seconds
    if isinstance(fault, RecipeError | ServiceDown):
        dataset = step_run.planned.dataset
        context.record_fault(dataset, step_subject(step.name), str(fault), wait)
    return fault, wait


def _stale(data: _ChunkData, step: PlanStep) -> list[Record]:
    """Return the records that lack a fresh value of a step and have all that it reads."""
    stale = [
        one for one in data.records if data.fingerprints[one.id].get(step.name) != step.fingerprint
    ]
    # Predictions are not among the values, where an input may have that name.
    for one in stale if step.name != PREDICTION else ():
        # Steps that read this one must not read a value under an older fingerprint.
        data.values[one.id].pop(step.name, None)
    reads = set(step.reads)
    return [one for one in stale if data.values[one.id].keys() >= reads]


def _outcomes(
    step_run: StepRun, ready: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    if step_run.enricher is None:
        return each_outcome(step_run, ready, check)
    if step_run.enricher.is_analysis:
        return each_finding(step_run, ready, check)
    by_kind = {"calls": each_call, "lookup": each_table_row}
    return by_kind.get(step_run.enricher.kind, each_outcome)(step_run, ready, check)


def _collect(
    step_run: StepRun, outcome: RecordOutcome, data: _ChunkData, writes: _ChunkWrites
) -> None:
    record, step = outcome.record, step_run.step
    if not isinstance(outcome, RecordValue):
        writes.failures.append(EnricherFailure(record.id, step.name, one_line(outcome.reason)))
    elif step.name == PREDICTION:
        predicted: PredictedRow = outcome.value
        writes.predictions.append(
            Prediction(
                record.key, predicted.body, step.fingerprint, predicted.label, predicted.score
            )
        )
    else:
        data.values[record.id][step.name] = outcome.value
        value = outcome.value, step_run.listing_column
        writes.enrichments.append(Enrichment(record.id, step.name, step.fingerprint, *value))
