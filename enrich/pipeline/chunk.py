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
from db.queue.quarantine import Refusal, refusals_in_chunk
from db.records.enrichment import Enrichment, enrichments_in_chunk
from db.records.prediction import Prediction, fingerprints_in_chunk
from db.records.record import Record
from enrich.enrichers.base import Unavailable
from enrich.executors.base import RecipeError
from enrich.planning.plan import PREDICTION

from .api_calls import each_call
from .bisect import Made, Outcome
from .context import Bench
from .lease import Lease
from .lookup import each_look_up
from .step import Job, Task, each_outcome


@dataclass(frozen=True)
class _Load:
    """A chunk's records, with the values and stamps that they have already."""

    records: list[Record]
    values: dict[int, dict[str, Any]]
    stamps: dict[int, dict[str, str]]
    refused: list[Refusal]


@dataclass
class _Results:
    """What a chunk's work gave.

    `fault` is what put a step off, `seconds` until when; records without a value of it wait.
    """

    enrichments: list[Enrichment] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    fault: VeilleuseError | None = None
    seconds: float = 0.0

    def put_off(self, fault: VeilleuseError, seconds: float) -> None:
        """Note that a step must wait: the chunk does for the longest of them."""
        self.fault = self.fault or fault
        self.seconds = max(self.seconds, seconds)


@dataclass(frozen=True)
class Worked:
    """How many records are done, and what put others off."""

    records: int = 0
    fault: VeilleuseError | None = None
    # Whether its lease was lost, or had been used up: somebody finished it, this worker perhaps.
    is_lost: bool = False


def work_chunk(bench: Bench, task: Task) -> Worked:
    """Bring a leased chunk's records up to date.

    What cannot be done now is given back with what was made, and so is a chunk that is
    interrupted: only what was not computed yet is computed again.
    """
    results = _Results()
    try:
        with Lease(bench.store, task.chunk, bench.settings.lease_seconds) as lease:
            with bench.store.reading() as connection:
                load = _load(connection, task.chunk)
            results.refused += load.refused
            _compute(bench, task, load, lease, results)
        if results.fault is None:
            bench.write(partial(_finish, chunk=task.chunk, results=results))
            return Worked(len(load.records))
        bench.write(partial(_return, chunk=task.chunk, results=results))
        return Worked(0, results.fault)
    except LeaseLost:
        return Worked(is_lost=True)
    except BaseException:
        # Where the chunk is no longer ours, or the store out of reach, its lease runs out.
        with contextlib.suppress(LeaseLost, SQLAlchemyError):
            bench.store.write(partial(_return, chunk=task.chunk, results=results))
        raise


def _finish(connection: Connection, chunk: Chunk, results: _Results) -> None:
    finish_chunk(connection, chunk, results.enrichments, results.predictions, results.refused)


def _return(connection: Connection, chunk: Chunk, results: _Results) -> None:
    not_before = NotBefore(results.seconds, str(results.fault or ""))
    made = results.enrichments, results.predictions, results.refused
    return_chunk(connection, chunk, *made, not_before)


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
    return _Load(records, values, stamps, refusals_in_chunk(connection, chunk.id, chunk.revision))


def _compute(bench: Bench, task: Task, load: _Load, lease: Lease, results: _Results) -> None:
    """Do each step of the plan, for the records that have what it reads."""
    # A call that was refused before the chunk was put off would be paid for again.
    refused = {(one.record_id, one.enricher) for one in load.refused}
    for step in task.dataset.plan:
        stale = [
            one for one in load.records if load.stamps[one.id].get(step.name) != step.fingerprint
        ]
        for one in stale:
            # A value under an older fingerprint must not be read for one of today's.
            load.values[one.id].pop(step.name, None)
        ready = [
            one
            for one in stale
            if load.values[one.id].keys() >= set(step.reads) and (one.id, step.name) not in refused
        ]
        if not ready:
            continue
        waiting = bench.put_off.get(step.fingerprint)
        if waiting is not None and waiting.seconds:
            results.put_off(Unavailable(waiting.reason), waiting.seconds)
            continue
        job = Job(bench, task, step, load.values)
        try:
            for outcome in _outcomes(job, ready, lease.check):
                _keep(job, outcome, load, results)
        except (RecipeError, Unavailable) as error:
            asked = getattr(error, "seconds", 0.0)
            off = bench.put_step_off(step.fingerprint, str(error), asked)
            results.put_off(error, off.seconds)
        else:
            bench.put_off.pop(step.fingerprint, None)


def _outcomes(job: Job, ready: Sequence[Record], check: Callable[[], None]) -> Iterator[Outcome]:
    kind = job.enricher.kind if job.enricher else "rows"
    if kind == "calls":
        return each_call(job, ready, check)
    if kind == "reference":
        return each_look_up(job, ready, check)
    return each_outcome(job, ready, check)


def _keep(job: Job, outcome: Outcome, load: _Load, results: _Results) -> None:
    record, step = outcome.record, job.step
    if not isinstance(outcome, Made):
        results.refused.append(Refusal(record.id, step.name, outcome.reason))
    elif step.name == PREDICTION:
        results.predictions.append(Prediction(record.key, outcome.value, step.fingerprint))
    else:
        load.values[record.id][step.name] = outcome.value
        mark = job.enricher.mark if job.enricher else ""
        made = Enrichment(record.id, step.name, step.fingerprint, outcome.value, mark)
        results.enrichments.append(made)
