"""Differences between two figures, with their standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# A difference of so many standard errors is chance in one of twenty comparisons.
ERRORS_OF_CHANCE = 2.0


@dataclass(frozen=True)
class Difference:
    """How much a figure has changed from `before` to `after`; `error` is its standard error.

    `is_paired` says whether both were measured on the same rows.
    """

    before: float
    after: float
    error: float
    is_paired: bool = True

    @property
    def change(self) -> float:
        """The later figure less the earlier one."""
        return self.after - self.before

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the figures differ by more than chance would make them."""
        return abs(self.change) > ERRORS_OF_CHANCE * self.error


class Parts(NamedTuple):
    """What one record adds to two ratios: a part and a whole before, and the same after."""

    part_before: float
    whole_before: float
    part_after: float
    whole_after: float


def paired_difference(records: Sequence[Parts], count: int) -> Difference:
    """Return the difference of two ratios of sums over the same records.

    Accuracy, recall, precision, F1 and mean errors are such ratios. Each of `records` adds its
    parts; the other records up to `count` add nothing. The error is that of the linearized ratios
    (Cochran 1977, section 6.4); rows of one record are not independent, so it counts records.
    """
    part_before, whole_before, part_after, whole_after = (
        (sum(column) for column in zip(*records, strict=True)) if records else (0.0, 0.0, 0.0, 0.0)
    )
    # A ratio without a whole is 0, as in the report on a model.
    before, after = part_before / (whole_before or 1), part_after / (whole_after or 1)
    squares = sum(
        (
            (one.part_after - after * one.whole_after) / (whole_after or 1)
            - (one.part_before - before * one.whole_before) / (whole_before or 1)
        )
        ** 2
        for one in records
    )
    # One record has no spread.
    error = (squares * count / (count - 1)) ** 0.5 if count > 1 else 0.0
    return Difference(before, after, error)


def share_difference(
    before: float, after: float, before_rows: float, after_rows: float
) -> Difference:
    """Return the difference of two shares that were measured on independent rows."""
    return unpaired_difference(
        before,
        after,
        before * (1 - before) / max(before_rows, 1),
        after * (1 - after) / max(after_rows, 1),
    )


def unpaired_difference(
    before: float, after: float, before_variance: float, after_variance: float
) -> Difference:
    """Return the difference of two independent figures, from the squares of their errors."""
    variance = max(before_variance, 0.0) + max(after_variance, 0.0)
    return Difference(before, after, variance**0.5, is_paired=False)
