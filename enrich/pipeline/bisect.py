"""Bisecting: records are computed in one batch, and in halves where a batch fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import Any, NamedTuple, Protocol, TypeAlias

from db.errors import EnricherError
from db.queue.chunk import MOST_ATTEMPTS
from db.records.record import Record
from enrich.enrichers.base import Unavailable
from enrich.executors.base import RecipeError, TookTooLong

# After that many failures in a row the enricher may be broken, and other records would fail too.
HOPELESS_RECORDS = 10
# A record that takes too long has cost a quarter of an hour: it is tried once, and counts for more.
SLOW_WEIGHT = 5


class RecordValue(NamedTuple):
    """A record's value of a step."""

    record: Record
    value: Any


class RecordFailure(NamedTuple):
    """Why a record has no value of a step."""

    record: Record
    reason: str


RecordOutcome: TypeAlias = RecordValue | RecordFailure


def is_step_at_fault(
    failed: int, *, is_model: bool, has_worked: bool, works_now: bool | None
) -> bool:
    """Return True if failures in a row are the fault of the step rather than of the records.

    `failed` counts them, slow ones SLOW_WEIGHT times. `works_now` says whether rows that had a
    value still get one, None if no such rows are known. A model that has never answered is at
    fault at its first failure.
    """
    if works_now is not None:
        return not works_now
    return failed >= HOPELESS_RECORDS or (is_model and not has_worked)


class Step(Protocol):
    """The step whose values are computed."""

    name: str

    @property
    def is_model(self) -> bool:
        """Whether it predicts with a model."""
        ...

    def compute(self, records: Sequence[Record]) -> list[Any]:
        """Return a value for each record; raises EnricherError."""
        ...

    def works_now(self) -> bool | None:
        """Return whether the step still works for rows that had a value, None without any."""
        ...

    def has_worked(self) -> bool:
        """Return whether the step has ever made a value."""
        ...


class BisectingRunner:
    """Computes a step's values for a chunk, and finds the records that make it fail."""

    def __init__(self, step: Step) -> None:
        self._step = step
        # Failures since the last value: they are the records' only if the step is not at fault.
        self._failures: list[RecordFailure] = []
        self._weight = 0

    def run(self, some: Sequence[Record], tried: int = 1) -> Iterator[RecordOutcome]:
        """Yield an outcome for each record; the latest failures only with `finish`.

        A batch that fails, or kills its process, is halved until the record at fault is alone,
        which then has three tries. Raises RecipeError where the step is at fault.
        """
        try:
            values = self._step.compute(some)
        except Unavailable:
            raise
        except EnricherError as error:
            reason, is_slow = str(error), isinstance(error, TookTooLong)
        else:
            yield from self._release()
            yield from starmap(RecordValue, zip(some, values, strict=True))
            return
        if len(some) > 1:
            middle = len(some) // 2
            yield from self.run(some[:middle])
            yield from self.run(some[middle:])
        elif tried < MOST_ATTEMPTS and not is_slow:
            yield from self.run(some, tried + 1)
        else:
            self._failures.append(RecordFailure(some[0], reason))
            self._weight += SLOW_WEIGHT if is_slow else 1
            if self._weight >= HOPELESS_RECORDS:
                yield from self.finish()

    def finish(self) -> Iterator[RecordOutcome]:
        """Yield the failures since the last value if they are the records', or raise RecipeError.

        The failures of a step that is at fault are charged to no record.
        """
        if self._failures and self._is_step_at_fault():
            last = self._failures[-1].reason
            raise RecipeError(f"{self._step.name}: fails on every record; the last: {last}")
        yield from self._release()

    def _is_step_at_fault(self) -> bool:
        works_now = self._step.works_now()
        return is_step_at_fault(
            self._weight,
            is_model=self._step.is_model,
            has_worked=works_now is None and self._step.is_model and self._step.has_worked(),
            works_now=works_now,
        )

    def _release(self) -> Iterator[RecordOutcome]:
        released, self._failures, self._weight = self._failures, [], 0
        yield from released
