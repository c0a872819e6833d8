"""Trials: rows are computed together, and apart where that fails, down to the one at fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from db.errors import EnricherError
from db.queue.chunk import MOST_ATTEMPTS
from db.records.record import Record
from enrich.enrichers.base import Unavailable
from enrich.executors.base import RecipeError

# An enricher that takes no record at all is broken: each further one would be as much in vain.
HOPELESS_RECORDS = 10


@dataclass(frozen=True)
class RecordValue:
    """A record's value."""

    record: Record
    value: Any


@dataclass(frozen=True)
class RecordFailure:
    """Why a record has none."""

    record: Record
    reason: str


RecordOutcome: TypeAlias = RecordValue | RecordFailure
Compute: TypeAlias = Callable[[Sequence[Record]], list[Any]]


class BisectingRunner:
    """One step's tries on a chunk."""

    def __init__(self, name: str, compute: Compute, *, may_refuse_all: bool = False) -> None:
        self._name = name
        self._compute = compute
        self._may_refuse_all = may_refuse_all
        self._made = 0
        self._refused = 0

    def run(self, some: Sequence[Record], tried: int = 1) -> Iterator[RecordOutcome]:
        """Yield an outcome for each record.

        A batch that fails, or kills its process, is halved until the record at fault is alone;
        alone it has three tries. Raises RecipeError where no record at all can be taken.
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
            yield self._refuse(some[0], reason)

    def _refuse(self, record: Record, reason: str) -> RecordFailure:
        self._refused += 1
        if self._refused >= HOPELESS_RECORDS and not self._made and not self._may_refuse_all:
            raise RecipeError(f"{self._name}: takes no record, the last because of {reason}")
        return RecordFailure(record, reason)
