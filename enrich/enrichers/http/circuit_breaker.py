"""The circuit breaker of calls: tells a fault of the service from the faults of single records."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Failures alike of a service that has answered nothing yet, which are enough to stop.
FEWEST_ALIKE = 5
MOST_ALIKE = 1000
# How likely it may be that so many failures alike in a row were those of single records.
CHANCE = 1e-4
# Calls at once, which are lost when a good service breaks.
MOST_CALLS = 20


def enough_alike(answered: int, failed: int) -> int:
    """Return how many failures alike in a row are a fault of the service.

    `answered` and `failed` count its calls before. A service that knows only every fifth record
    fails for most of them, so more failures in a row are needed.
    """
    if not answered:
        return FEWEST_ALIKE
    share = (failed + 1) / (answered + failed + 2)
    return max(FEWEST_ALIKE, min(math.ceil(math.log(CHANCE) / math.log(share)), MOST_ALIKE))


class CircuitBreaker:
    """The outcomes of an enricher's calls, in their order.

    It is open once too many different requests have failed alike without an answer in between.
    While it is open one further failure is enough to stop again; an answer closes it.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._answered = 0
        self._failed = 0
        self._alike: dict[str, set[str]] = {}
        self._charged: list[int] = []

    def succeed(self) -> None:
        """Count an answer: the failures before it were those of their records."""
        self._answered += 1
        self._failed += sum(map(len, self._alike.values()))
        self._alike.clear()
        self._charged.clear()
        self.is_open = False

    def fail(self, asked: str, kind: str) -> None:
        """Count a failure of a request, given by its hash."""
        self._alike.setdefault(kind, set()).add(asked)

    def charge(self, record_ids: Sequence[int]) -> None:
        """Remember records that were quarantined for failures since the last answer."""
        self._charged += record_ids

    @property
    def failures(self) -> int:
        """The failures alike since the last answer, of the most frequent kind."""
        return max(map(len, self._alike.values()), default=0)

    @property
    def is_at_fault(self) -> bool:
        """Whether the failures since the last answer are a fault of the service."""
        needed = 1 if self.is_open else enough_alike(self._answered, self._failed)
        return self.failures >= needed

    def failing(self) -> set[str]:
        """Return the requests that have failed since the last answer."""
        return set().union(*self._alike.values())

    def open(self) -> list[int]:
        """Open the circuit; return the records that its failures were charged to."""
        charged, self._charged = self._charged, []
        self._alike.clear()
        self.is_open = True
        return charged

    def most_calls(self, wanted: int) -> int:
        """Return how many calls to make at once: few while it is not known that they succeed."""
        if self.is_open:
            return 1
        if not self._answered or self._alike:
            return min(wanted, FEWEST_ALIKE)
        return min(wanted, MOST_CALLS)
