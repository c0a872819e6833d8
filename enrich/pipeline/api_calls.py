"""Calls to services: the store grants them, the compute child makes them, answers are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from db.errors import EnricherError
from db.queue.call_quota import Caller, Grant, Quota, grant_calls, settle_calls
from db.queue.chunk import MOST_ATTEMPTS
from db.queue.meter import NO_TOKENS
from db.queue.worker_registry import remove_dead_workers
from db.records.record import Record
from db.spec.stored_spec import encode_spec
from enrich.enrichers.base import Unavailable, to_value
from enrich.enrichers.http.outcome import Answered, Failed, Later, Request
from enrich.enrichers.http.reply import short_reason
from enrich.enrichers.http.service import Limits, Service
from enrich.enrichers.http.template import RowFault
from enrich.executors.base import ChildDied, RecipeError
from enrich.executors.recipe import REQUEST, CallRecipe, Recipe

from .batch_size import MicroBatch
from .bisect import RecordFailure, RecordOutcome, RecordValue
from .failed_calls import FailedCalls
from .step import StepRun

Answer: TypeAlias = Answered | Failed | Later

# One: a worker that is stopped loses the answers of its batch. Fast services soon get more.
FIRST_CALLS = 1
# How long an enricher waits after too many failures in a row.
BREAK_SECONDS = 600.0
# Pause between looks while another worker makes the same call.
POLL_SECONDS = 0.2
# Time that a call may take beyond its time-out: pauses that the service asks for.
MOST_PAUSE_SECONDS = 15.0


def each_call(
    step_run: StepRun, stale: Sequence[Record], check: Callable[[], None]
) -> Iterator[RecordOutcome]:
    """Yield the service's answer for each record; raises Unavailable while it cannot be called."""
    code: Service = step_run.make_code()
    batch = step_run.context.batches.setdefault(
        step_run.step.fingerprint, MicroBatch(rows=FIRST_CALLS)
    )
    start = 0
    while start < len(stale):
        records = stale[start : start + batch.rows]
        call_round = _CallRound(step_run, code, check)
        try:
            yield from call_round.run(records)
        except _Broken:
            batch.rows = 1
            raise
        if call_round.calls:
            batch.measure(call_round.calls, call_round.seconds)
        start += len(records)


def quota_of(code: Limits, calls: int, suspend_seconds: float) -> Quota:
    """Return the quota under which the store grants that many calls at once."""
    gap_seconds = 1 / code.calls_per_second if code.calls_per_second else 0.0
    longest = code.tries * (code.timeout_seconds + max(MOST_PAUSE_SECONDS, gap_seconds))
    return Quota(
        tries=code.tries,
        # The calls are made one after another, by a process that may be suspended meanwhile.
        hold_seconds=calls * longest + suspend_seconds + MOST_PAUSE_SECONDS,
        most_calls=calls,
        calls_per_second=code.calls_per_second,
        budget_calls=code.budget_calls,
        budget_days=code.budget_days,
    )


class _Broken(Unavailable):
    """Too many calls in a row have failed; the next one finds out whether that is mended."""


class _CallRound:
    """The calls for a few records, repeated until each has an outcome."""

    def __init__(self, step_run: StepRun, code: Service, check: Callable[[], None]) -> None:
        self._step_run = step_run
        self._code = code
        self._check = check
        self._caller = Caller(
            step_run.planned.dataset.id, step_run.step.name, step_run.context.worker_id
        )
        self._failed = step_run.context.failed_calls.setdefault(
            step_run.step.fingerprint, FailedCalls()
        )
        self._deaths = 0
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
                called = self._call(grant, [requests[asked] for asked in grant.granted])
                self._failed.note(called, waiting)
                found |= called
            for asked, answer in found.items():
                if not isinstance(answer, Later):
                    yield from (self._outcome(one, answer) for one in waiting.pop(asked))
            self._check_failures()
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

    def _outcome(self, record: Record, answer: Answered | Failed) -> RecordOutcome:
        """Return a value or a failure; repeating the call would only be paid for again."""
        if isinstance(answer, Failed):
            return RecordFailure(record, short_reason(answer.reason))
        try:
            return RecordValue(record, to_value(self._code.pick(answer.text)))
        except EnricherError as error:
            return RecordFailure(record, short_reason(str(error)))

    def _check_failures(self) -> None:
        """Raise Unavailable after so many failures in a row that the configuration may be wrong."""
        most = getattr(self._code, "most_failures_in_a_row", 0)
        if most and self._failed.in_a_row >= most:
            raise _Broken(
                f"{self._step_run.step.name}: its last {most} calls or more failed, the last:"
                f" {self._failed.last_reason}; correct its config",
                BREAK_SECONDS,
            )

    def _wait(self, grant: Grant, found: dict[str, Answer]) -> None:
        """Wait for workers that make the same calls; raises Unavailable where it takes too long."""
        later = [one for one in found.values() if isinstance(one, Later)]
        if later:
            raise Unavailable(
                f"{self._step_run.step.name}: {short_reason(later[0].reason)}",
                max(one.seconds for one in later),
            )
        if grant.reason:
            raise Unavailable(
                f"{self._step_run.step.name}: {grant.reason}", grant.postponed_seconds
            )
        if grant.in_progress and not grant.granted:
            # Otherwise this worker would wait for a dead one for as long as its calls might take.
            self._step_run.context.write(remove_dead_workers)
            self._step_run.context.wait(POLL_SECONDS)
