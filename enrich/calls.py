"""Metered calls: granted by the store, made by the child, and their answers kept in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from db.call import Granted, Terms, grant_calls, settle_calls
from db.chunk import MOST_ATTEMPTS
from db.errors import EnricherError
from db.record import Record, slices
from db.spec import encode_spec

from .enricher import Unavailable, to_value
from .enrichers.http import Answered, Failed, Http, Later, Request
from .executors.executor import ChildDied, RecipeError
from .job import Job
from .recipe import REQUEST, CallRecipe, Recipe
from .trial import Made, Outcome, Refused

Answer: TypeAlias = Answered | Failed | Later

# Records whose calls are asked for at once.
RECORDS_AT_ONCE = 50
# While somebody else makes the same call.
LOOK_SECONDS = 0.2
MOST_PAUSE_SECONDS = 15.0


def each_call(job: Job, stale: Sequence[Record], check: Callable[[], None]) -> Iterator[Outcome]:
    """Yield what the service says of each record; raises Unavailable where it cannot be asked."""
    if job.enricher is None:
        raise EnricherError(f"{job.step.name}: calls nobody")
    code: Http = job.enricher.make()
    for some in slices(stale, RECORDS_AT_ONCE):
        yield from _Round(job, code, check).run(some)


def terms_of(code: Http) -> Terms:
    """Return what the store must know to grant calls."""
    longest = code.tries * (code.timeout_seconds + MOST_PAUSE_SECONDS)
    return Terms(
        tries=code.tries,
        # Whoever dies over a batch leaves it to others after so long.
        hold_seconds=longest + 60.0,
        calls_per_second=code.calls_per_second,
        budget_calls=code.budget_calls,
        budget_days=code.budget_days,
    )


class _Round:
    """The calls for a few records."""

    def __init__(self, job: Job, code: Http, check: Callable[[], None]) -> None:
        self._job = job
        self._code = code
        self._check = check
        self._deaths = 0

    def run(self, some: Sequence[Record]) -> Iterator[Outcome]:
        """Yield an outcome for each record, until all have one."""
        waiting: dict[str, list[Record]] = {}
        requests: dict[str, Request] = {}
        for one in some:
            try:
                request = self._code.request(self._job.rows([one])[0])
            except EnricherError as error:
                yield Refused(one, str(error))
                continue
            waiting.setdefault(request.hash, []).append(one)
            requests[request.hash] = request
        while waiting:
            self._check()
            granted = self._grant(waiting)
            found: dict[str, Answer] = {
                asked: Answered(text) for asked, text in granted.answers.items()
            }
            if granted.mine:
                self._job.bench.wait(granted.wait_seconds)
                found |= self._call([requests[asked] for asked in granted.mine])
            for asked, answer in found.items():
                if not isinstance(answer, Later):
                    yield from (self._outcome(one, answer) for one in waiting.pop(asked))
            if waiting:
                self._wait(granted, found)

    def _grant(self, waiting: dict[str, list[Record]]) -> Granted:
        wanted = {asked: records[0].id for asked, records in waiting.items()}
        found, name = self._job.task.found, self._job.step.name
        return self._job.bench.write(
            partial(
                grant_calls,
                dataset_id=found.id,
                enricher=name,
                wanted=wanted,
                terms=terms_of(self._code),
            )
        )

    def _call(self, requests: Sequence[Request]) -> dict[str, Answer]:
        """Make calls that were granted; whatever happens, others may ask what has no answer."""
        rows = [{REQUEST: request} for request in requests]
        answers: dict[str, Answer] = {}
        unused = 0
        try:
            done = self._job.bench.executor.compute(self._job.step.fingerprint, self._recipe, rows)
            answers = {one.hash: made for one, made in zip(requests, done.values, strict=True)}
            unused = sum(self._code.tries - made.calls for made in answers.values())
        except ChildDied as error:
            # What it had called counts as spent, whether there was an answer or not.
            self._deaths += 1
            if self._deaths >= MOST_ATTEMPTS:
                raise Unavailable(str(error)) from error
        except EnricherError as error:
            unused = self._code.tries * len(requests)
            raise RecipeError(f"{self._job.step.name}: {error}") from error
        finally:
            self._settle([one.hash for one in requests], answers, unused)
        return answers

    def _recipe(self) -> Recipe:
        spec, code_paths = self._job.task.found.spec, self._job.bench.settings.code_paths
        return CallRecipe(encode_spec(spec), self._job.step.name, code_paths)

    def _settle(self, asked: Sequence[str], answers: dict[str, Answer], unused: int) -> None:
        texts = {one: made.text for one, made in answers.items() if isinstance(made, Answered)}
        self._job.bench.write(
            partial(
                settle_calls,
                dataset_id=self._job.task.found.id,
                enricher=self._job.step.name,
                answers=texts,
                released=[one for one in asked if one not in texts],
                unused=unused,
            )
        )

    def _outcome(self, record: Record, answer: Answered | Failed) -> Outcome:
        """Return a value or a refusal; the same call would be paid for again, and in vain."""
        if isinstance(answer, Failed):
            return Refused(record, answer.reason)
        try:
            return Made(record, to_value(self._code.pick(answer.text)))
        except EnricherError as error:
            return Refused(record, str(error))

    def _wait(self, granted: Granted, found: dict[str, Answer]) -> None:
        """Wait for those who make the same calls; raises Unavailable where it takes too long."""
        later = [one for one in found.values() if isinstance(one, Later)]
        if later:
            raise Unavailable(
                f"{self._job.step.name}: {later[0].reason}", max(one.seconds for one in later)
            )
        if granted.reason:
            raise Unavailable(f"{self._job.step.name}: {granted.reason}", granted.postponed_seconds)
        if granted.others and not granted.mine:
            self._job.bench.wait(LOOK_SECONDS)
