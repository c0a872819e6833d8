"""Whether answers in production are worse than in training by more than chance."""

from __future__ import annotations

from math import erfc, exp, lgamma, sqrt
from typing import NamedTuple

# Fewer outcomes of a week say too little.
FEWEST_JUDGED = 20
# How often a quarter raises a false alarm, if it is looked at once. Each week is looked at many
# times while its labels come in, and that raises it to about 2 %; see tests/simulation.
FALSE_ALARM_RATE = 0.005
# From so many on a normal distribution is close enough, and quicker.
MANY = 1000


class Expected(NamedTuple):
    """The mean loss in training, its standard deviation, and the records it was measured on."""

    loss: float
    spread: float
    records: int


class Losses(NamedTuple):
    """The losses of a week: of how many records, their mean, and their standard deviation."""

    records: int
    mean: float
    spread: float


def worst_by_chance(
    losses: Losses, expected: Expected, looks: int, *, is_regression: bool
) -> float:
    """Return the mean loss from which on a week is worse than training by more than chance.

    The test is one-sided, with the sampling errors of both. `looks` is the number of weeks that are
    judged beside each other; it makes the test of each stricter (Bonferroni).
    """
    rate = FALSE_ALARM_RATE / looks
    if not is_regression and losses.records < MANY:
        return _worst_count(losses.records, expected, rate) / losses.records
    # A week with larger errors also has a larger spread, and single errors are then less certain.
    spread = max(losses.spread, expected.spread) if is_regression else expected.spread
    error = sqrt(spread**2 / losses.records + expected.spread**2 / expected.records)
    return expected.loss + normal_quantile(rate) * error


def _worst_count(number: int, expected: Expected, rate: float) -> int:
    """Return the number of wrong answers that chance exceeds, or reaches, less often than `rate`.

    Training saw some wrong answers among its records. What that says about the next `number`
    answers is a beta-binomial distribution, which is exact for few answers and rare errors.
    """
    wrong = expected.loss * expected.records + 1
    right = (1 - expected.loss) * expected.records + 1
    tail = 0.0
    for count in range(number, 0, -1):
        tail += exp(_log_chance(count, number, wrong, right))
        if tail > rate:
            return count + 1
    return 1


def _log_chance(count: int, number: int, wrong: float, right: float) -> float:
    ways = lgamma(number + 1) - lgamma(count + 1) - lgamma(number - count + 1)
    return ways + _log_beta(wrong + count, right + number - count) - _log_beta(wrong, right)


def _log_beta(first: float, second: float) -> float:
    return lgamma(first) + lgamma(second) - lgamma(first + second)


def normal_quantile(rate: float) -> float:
    """Return the number of standard deviations that chance exceeds with this probability.

    The module `statistics` has it too, but takes a MiB of memory.
    """
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        if erfc(middle / sqrt(2)) / 2 > rate:
            low = middle
        else:
            high = middle
    return high
