"""Calls to services: the store grants them, the compute child makes them, answers are kept."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from sqlalchemy import Connection

from db.errors import EnricherError
from db.queue.call_quota import (
    Caller,
    Grant,
    forget_responses,
    grant_calls,
    settle_calls,
)
from db.queue.chunk import MOST_ATTEMPTS
from db.queue.meter import NO_TOKENS
from db.queue.quarantine import withdraw_failures
from db.queue.workers.worker_registry import remove_dead_workers
from db.records.record import Record
from db.spec.stored_spec import encode_spec
from enrich.enrichers.base import Unavailable
from enrich.enrichers.http.outcome import Answered, Failed, Later, Request
from enrich.enrichers.http.reply import short_reason
from enrich.enrichers.http.service import Service, quota_of
from enrich.enrichers.http.template import RowFault
from enrich.enrichers.value import to_value
from enrich.executors.base import ChildDied, RecipeError
from enrich.executors.recipe import REQUEST, CallRecipe, Recipe

from .batch_size import MicroBatch
from .bisect import RecordFailure, RecordOutcome, RecordValue
from .context import LONGEST_POSTPONEMENT_SECONDS
from .failed_calls import FailedCalls
from .step import StepRun

Answer: TypeAlias = Answered | Failed | Later

# One: a worker that is stopped loses the answers of its batch. Fast services soon get more.
FIRST_CALLS = 1
# Failures whose answers came, and have no usable value at the place that the config names.
NO_VALUE = "no value"
# Pause between looks while another worker makes the same call.
POLL_SECONDS = 0.2


class ServiceFault(RecipeError):
    """The calls of an enricher fail alike for all records, which are not at fault."""


class ServiceDown(Unavailable):
    """A service cannot be called now, and did not ask for a pause: this is a fault to show."""


def each_call(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield the service's answer for each record; raises Unavailable while it cannot be called.

    Failures are held back until an answer shows that they are those of their records. Raises
    ServiceFault, and charges no record, where the service is at fault.
    """
    failed = step_run.context.failed_calls.setdefault(step_run.step.fingerprint, FailedCalls())
    if step_run.has_known_fault():
        # Another worker may have found it: one call shows whether the service works.
        failed.breaker.is_open = True
    held: list[RecordOutcome] = []
    try:
        for outcome in _each_outcome(step_run, stale, check, failed):
            if isinstance(outcome, RecordFailure):
                held.append(outcome)
            else:
                yield outcome
            if not failed.breaker.failures:
                yield from held
                held.clear()
    except ServiceFault:
        raise
    except Exception:
        # Otherwise the calls that failed would be made, and paid for, again.
        failed.breaker.charge([one.record.id for one in held])
        yield from held
        raise
    failed.breaker.charge([one.record.id for one in held])
    yield from held


def _each_outcome(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None], failed: FailedCalls
) -> Iterator[RecordOutcome]:
    code: Service = step_run.make_code()
    batch = step_run.context.batches.setdefault(
        step_run.step.fingerprint, MicroBatch(rows=FIRST_CALLS)
    )
    if failed.breaker.is_open:
        # The first record alone would keep the circuit open if it is at fault itself.
        stale = random.sample(stale, len(stale))
    start = 0
    while start < len(stale):
        records = stale[start : start + failed.breaker.most_calls(batch.rows)]
        call_round = _CallRound(step_run, code, failed, check)
        yield from call_round.run(records)
        if call_round.calls:
            batch.measure(call_round.calls, call_round.seconds)
        start += len(records)


class _CallRound:
    """The calls for a few records, repeated until each has an outcome."""

    def __init__(
        self, step_run: StepRun, code: Service, failed: FailedCalls, check: Callable[[], None]
    ) -> None:
        self._step_run = step_run
        self._code = code
        self._check = check
        self._caller = Caller(
            step_run.planned.dataset.id, step_run.step.name, step_run.context.worker_id
        )
        self._failed = failed
        self._deaths = 0
        self._reason = ""
        self.calls = 0
        self.seconds = 0.0

    def run(self, some: Sequence[Record]) -> Iterator[RecordOutcome]:
        """Yield an outcome for each record that is still there, until all have one."""
        waiting: dict[str, list[Record]] = {}
        requests: dict[str, Request] = {}
        for one in some:
            request = self._request(one)
            if isinstance(request, RecordFailure):
                yield request
                continue
            waiting.setdefault(request.hash, []).append(one)
            requests[request.hash] = request
        while waiting:
            self._check()
            grant = self._grant(waiting)
            for asked in grant.erased:
                # The record was erased; another record may need the same call.
                waiting[asked].pop(0)
            waiting = {asked: records for asked, records in waiting.items() if records}
            found: dict[str, Answer] = {
                asked: Answered(text) for asked, text in grant.answers.items()
            }
            if grant.granted:
                found |= self._call(grant, [requests[asked] for asked in grant.granted])
            for asked, answer in found.items():
                if not isinstance(answer, Later):
                    yield from self._outcomes(asked, answer, waiting.pop(asked), grant)
            self._check_service()
            if waiting:
                self._wait(grant, found)

    def _request(self, record: Record) -> Request | RecordFailure:
        """Return the request for a record, or why it needs no call; raises RecipeError."""
        try:
            request = self._code.request(self._step_run.rows([record])[0])
        except RowFault as error:
            return RecordFailure(record, short_reason(str(error)))
        except EnricherError as error:
            raise RecipeError(f"{self._step_run.step.name}: {error}") from error
        reason = self._failed.reason(request.hash, record.id)
        return RecordFailure(record, reason) if reason else request

    def _grant(self, waiting: dict[str, list[Record]]) -> Grant:
        wanted = {asked: records[0].id for asked, records in waiting.items()}
        suspend_seconds = self._step_run.context.settings.gate_suspend_seconds
        quota = quota_of(self._code, len(wanted), suspend_seconds)
        return self._step_run.context.write(
            partial(grant_calls, caller=self._caller, wanted=wanted, quota=quota)
        )

    def _call(self, grant: Grant, requests: Sequence[Request]) -> dict[str, Answer]:
        """Make the granted calls; calls that end without an answer are freed for others."""
        rows = [{REQUEST: request} for request in requests]
        answers: dict[str, Answer] = {}
        made = 0
        try:
            self._step_run.context.wait(grant.wait_seconds)
            # If the child dies, it is not known how many calls were made: count all of them.
            made = self._code.tries * len(requests)
            done = self._step_run.context.caller.compute(
                self._step_run.step.fingerprint, self._recipe, rows
            )
            answers = {one.hash: given for one, given in zip(requests, done.values, strict=True)}
            made = sum(given.calls for given in answers.values())
            self.calls, self.seconds = self.calls + len(answers), self.seconds + done.seconds
        except ChildDied as error:
            self._deaths += 1
            if self._deaths >= MOST_ATTEMPTS:
                raise Unavailable(str(error)) from error
        except RecipeError as error:
            # Something that every call needs is missing, so no call was made.
            made = 0
            raise RecipeError(f"{self._step_run.step.name}: {error}") from error
        except Unavailable:
            raise
        except EnricherError as error:
            raise RecipeError(f"{self._step_run.step.name}: {error}") from error
        finally:
            self._settle(grant, answers, made)
        return answers

    def _recipe(self) -> Recipe:
        spec, code_paths = (
            self._step_run.planned.dataset.spec,
            self._step_run.context.settings.code_paths,
        )
        return CallRecipe(encode_spec(spec), self._step_run.step.name, code_paths)

    def _settle(self, grant: Grant, answers: dict[str, Answer], made: int) -> None:
        tokens = NO_TOKENS
        for given in answers.values():
            tokens = tokens.plus(given.tokens)
        texts = {one: given.text for one, given in answers.items() if isinstance(given, Answered)}
        self._step_run.context.write(
            partial(
                settle_calls,
                caller=self._caller,
                grant=grant,
                answers=texts,
                calls=made,
                tokens=tokens,
            )
        )

    def _outcomes(
        self, asked: str, answer: Answered | Failed, records: Sequence[Record], grant: Grant
    ) -> list[RecordOutcome]:
        """Return the outcome of each record that waits for a call, which the breaker counts."""
        outcomes = [self._outcome(one, answer) for one in records]
        if isinstance(answer, Failed):
            self._failed.remember(asked, answer, records)
        first = outcomes[0]
        if isinstance(first, RecordFailure):
            kind = (answer.kind or first.reason) if isinstance(answer, Failed) else NO_VALUE
            self._failed.breaker.fail(asked, kind)
            self._reason = first.reason
        elif asked in grant.granted:
            # A stored answer does not show that the service works now.
            self._failed.breaker.succeed()
        return outcomes

    def _outcome(self, record: Record, answer: Answered | Failed) -> RecordOutcome:
        """Return a value or a failure; repeating the call would only be paid for again."""
        if isinstance(answer, Failed):
            return RecordFailure(record, short_reason(answer.reason))
        try:
            return RecordValue(record, to_value(self._code.pick(answer.text)))
        except EnricherError as error:
            return RecordFailure(record, short_reason(str(error)))

    def _check_service(self) -> None:
        """Raise ServiceFault if the latest failures are those of the service."""
        breaker = self._failed.breaker
        if not breaker.is_at_fault:
            return
        count, failing = breaker.failures, breaker.failing()
        charged = self._failed.open_circuit()
        self._step_run.context.write(
            partial(self._take_back, failing=sorted(failing), charged=charged)
        )
        raise ServiceFault(
            f"{self._step_run.step.name}: calls in a row that failed alike: {count}; the last:"
            f" {self._reason}; correct its config or the service, no record is charged"
        )

    def _take_back(
        self, connection: Connection, failing: Sequence[str], charged: Sequence[int]
    ) -> None:
        """Charge no record with a fault of the service, and keep none of its unusable answers."""
        forget_responses(connection, failing)
        withdraw_failures(connection, self._step_run.step.name, charged)

    def _wait(self, grant: Grant, found: dict[str, Answer]) -> None:
        """Wait for workers that make the same calls; raises Unavailable where it takes too long."""
        later = [one for one in found.values() if isinstance(one, Later)]
        if later:
            reason = f"{self._step_run.step.name}: {short_reason(later[0].reason)}"
            seconds = max(one.seconds for one in later)
            is_asked = any(one.is_asked for one in later)
            raise (Unavailable if is_asked else ServiceDown)(reason, seconds)
        if grant.reason:
            seconds = min(grant.postponed_seconds, LONGEST_POSTPONEMENT_SECONDS)
            raise Unavailable(f"{self._step_run.step.name}: {grant.reason}", seconds)
        if grant.in_progress and not grant.granted:
            # Otherwise this worker would wait for a dead one for as long as its calls might take.
            self._step_run.context.write(remove_dead_workers)
            self._step_run.context.wait(POLL_SECONDS)
