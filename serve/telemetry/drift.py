"""Drift: how far the predictions served differ from the model's predictions in training.

The index is the population stability index without the part that chance alone adds to it. It
counts only if the G-test of the same counts says that chance would not give it: few predictions
differ from training without any reason. docs/how-it-works.md has the reasons for the numbers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

# The usual limits for the population stability index (Siddiqi, Credit Risk Scorecards, 2006).
MODERATE, LARGE = 0.1, 0.25
# The windows that are judged, in hours: each is the current hour and as many before it.
WINDOWS = (1, 6, 24)
# In one hour people may ask for other things than in the whole day, so less than this is usual.
LEAST_INDEX_OF_AN_HOUR = LARGE
# Fewer answers may come from a single client.
FEWEST_ANSWERS = 50
# Names that training makes expect less often are counted together.
FEWEST_EXPECTED = 5
# The normal quantile that chance exceeds once in 100,000 times. With three windows an hour, a
# store without drift is then found to have some about once in three thousand hours at most.
CHANCE_QUANTILE = 4.265

Counts = Mapping[str, int]
Reason = Literal["measured", "no model", "old model", "too few"]
_RANKS = {"unknown": 0, "fine": 1, "warn": 2, "bad": 3}


@dataclass(frozen=True)
class Drift:
    """The drift of a window of hours, or the reason why there is no index.

    `needed` is the number of answers from which a large drift can be told from chance.
    """

    index: float | None
    level: Literal["unknown", "fine", "warn", "bad"] = "unknown"
    reason: Reason = "no model"
    answers: int = 0
    needed: int = FEWEST_ANSWERS
    hours: int = WINDOWS[-1]


@dataclass(frozen=True)
class Comparison:
    """Two sets of counts by name: the index, and whether chance would not give it."""

    index: float
    is_certain: bool
    needed: int


def stability_index(before: Counts, now: Counts) -> float:
    """Return the population stability index of two counts by name, adding 0.5 to each count."""
    names = before.keys() | now.keys()
    totals = [sum(counts.values()) + 0.5 * len(names) for counts in (before, now)]
    index = 0.0
    for name in names:
        expected, actual = (
            (counts.get(name, 0) + 0.5) / total
            for counts, total in zip((before, now), totals, strict=True)
        )
        index += (actual - expected) * math.log(actual / expected)
    return index


def compare(before: Counts, now: Counts) -> Comparison:
    """Return how far two sets of counts differ; neither may be empty."""
    before, now = _pool_rare(before, now)
    names = len(before.keys() | now.keys())
    limit = chi_square_limit(names - 1)
    # Without drift the index is (names - 1) (1/m + 1/n) on average, since counts vary.
    chance = (names - 1) * (1 / sum(before.values()) + 1 / sum(now.values()))
    index = max(stability_index(before, now) - chance, 0.0)
    needed = max(math.ceil(limit / LARGE), FEWEST_ANSWERS)
    return Comparison(index, g_statistic(before, now) > limit, needed)


def _pool_rare(before: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Count the names together of which training makes expect fewer than FEWEST_EXPECTED now."""
    scale = sum(now.values()) / sum(before.values())
    kept = {name for name, count in before.items() if count * scale >= FEWEST_EXPECTED}
    pooled: list[Counts] = []
    for counts in (before, now):
        rest = sum(count for name, count in counts.items() if name not in kept)
        frequent = {name: count for name, count in counts.items() if name in kept}
        pooled.append(frequent | ({"": frequent.get("", 0) + rest} if rest else {}))
    return pooled[0], pooled[1]


def g_statistic(before: Counts, now: Counts) -> float:
    """Return the statistic of the G-test that both counts come from the same shares."""
    totals = sum(before.values()), sum(now.values())
    statistic = 0.0
    for name in before.keys() | now.keys():
        pair = before.get(name, 0), now.get(name, 0)
        share = sum(pair) / sum(totals)
        for count, total in zip(pair, totals, strict=True):
            if count:
                statistic += 2 * count * math.log(count / (total * share))
    return statistic


def chi_square_limit(degrees: int) -> float:
    """Return what chi-square of these degrees of freedom exceeds once in 100,000 times.

    The approximation is that of Wilson and Hilferty (1931), and a little too high.
    """
    if degrees < 1:
        return 0.0
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + CHANCE_QUANTILE * math.sqrt(spread)) ** 3


def drift_of(before: Counts, now: Counts, hours: int = WINDOWS[-1]) -> Drift:
    """Return the drift of the predictions of some hours (`now`) from those in training."""
    answers = sum(now.values())
    if not sum(before.values()):
        return Drift(None, reason="old model", answers=answers, hours=hours)
    if answers < FEWEST_ANSWERS:
        return Drift(None, reason="too few", answers=answers, hours=hours)
    found = compare(before, now)
    least = LEAST_INDEX_OF_AN_HOUR if hours == 1 else MODERATE
    if found.is_certain and found.index >= least:
        level: Literal["warn", "bad"] = "bad" if found.index >= LARGE else "warn"
        return Drift(found.index, level, "measured", answers, found.needed, hours)
    if answers < found.needed:
        return Drift(None, "unknown", "too few", answers, found.needed, hours)
    return Drift(found.index, "fine", "measured", answers, found.needed, hours)


def window_counts(by_hour: Mapping[int, Counts], hour: int, hours: int) -> Counter[str]:
    """Return the counts of an hour and of `hours` before it, by prediction."""
    counts: Counter[str] = Counter()
    for at in range(hour - hours, hour + 1):
        counts.update(by_hour.get(at, {}))
    return counts


def drifts(before: Counts, by_hour: Mapping[int, Counts], hour: int) -> list[Drift]:
    """Return the drift of each window that ends with this hour, which has not ended yet."""
    return [drift_of(before, window_counts(by_hour, hour, hours), hours) for hours in WINDOWS]


def worst_drift(found: Iterable[Drift]) -> Drift:
    """Return the drift of the worst window; of those without drift, that of the longest one."""
    return max(found, key=_badness)


def _badness(drift: Drift) -> tuple[int, float, int]:
    rank = _RANKS[drift.level]
    has_drifted = rank > _RANKS["fine"]
    return rank, (drift.index or 0.0) if has_drifted else 0.0, drift.hours
