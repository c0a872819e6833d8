"""Bisecting: records are computed in one batch, and in halves where a batch fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from db.errors import EnricherError
from db.queue.chunk import MOST_ATTEMPTS
from db.records.record import Record
from enrich.enrichers.base import Unavailable
from enrich.executors.base import RecipeError

# After that many failures and no value the enricher is broken, and other records would fail too.
HOPELESS_RECORDS = 10


@dataclass(frozen=True)
class RecordValue:
    """A record's value of a step."""

    record: Record
    value: Any


@dataclass(frozen=True)
class RecordFailure:
    """Why a record has no value of a step."""

    record: Record
    reason: str


RecordOutcome: TypeAlias = RecordValue | RecordFailure
Compute: TypeAlias = Callable[[Sequence[Record]], list[Any]]


class BisectingRunner:
    """Computes a step's values for a chunk, and finds the records that make it fail."""

    def __init__(self, name: str, compute: Compute, *, may_fail_all: bool = False) -> None:
        self._name = name
        self._compute = compute
        self._may_fail_all = may_fail_all
        self._made = 0
        self._failed = 0

    def run(self, some: Sequence[Record], tried: int = 1) -> Iterator[RecordOutcome]:
        """Yield an outcome for each record.

        A batch that fails, or kills its process, is halved until the record at fault is alone,
        which then has three tries. Raises RecipeError where every record fails.
        """
        try:
            values = self._compute(some)
        except Unavailable:
            raise
        except EnricherError as error:
            reason = str(error)
        else:
            self._made += len(some)
            yield from (RecordValue(one, value) for one, value in zip(some, values, strict=True))
            return
        if len(some) > 1:
            middle = len(some) // 2
            yield from self.run(some[:middle])
            yield from self.run(some[middle:])
        elif tried < MOST_ATTEMPTS:
            yield from self.run(some, tried + 1)
        else:
            yield self._fail(some[0], reason)

    def _fail(self, record: Record, reason: str) -> RecordFailure:
        self._failed += 1
        if self._failed >= HOPELESS_RECORDS and not self._made and not self._may_fail_all:
            raise RecipeError(f"{self._name}: fails on every record; the last: {reason}")
        return RecordFailure(record, reason)
