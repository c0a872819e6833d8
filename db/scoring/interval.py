"""Prediction intervals: how far the truth may lie from a predicted number."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Annotated, TypeAlias

import msgspec

Offsets: TypeAlias = Annotated[list[float], msgspec.Meta(max_length=1000)]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Offsets from a predicted number to both ends of its interval.

    The interval holds the truth in a share of `coverage` of all cases. Offsets depend on the group
    that the prediction falls in: `edges` lie between the groups, and `below` and `above` have one
    offset for each group.
    """

    coverage: float
    edges: Offsets
    below: Offsets
    above: Offsets

    def around(self, number: float, lowest: float = -math.inf) -> tuple[float, float]:
        """Return both ends of the interval around a predicted number, none below `lowest`."""
        group = bisect_right(self.edges, number)
        low, high = number + self.below[group], number + self.above[group]
        return max(low, lowest), max(high, lowest)
