"""Conformal intervals: how far held-out truths lay from their predictions."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.scoring.interval import Interval

Array: TypeAlias = npt.NDArray[Any]

COVERAGE = 0.9
MOST_GROUPS = 10
# An offset that is the fifth part of a tenth of so many rows is that of a few rows.
FEWEST_IN_GROUP = 100
SEED = 0


def fit_interval(predictions: Array, truth: Array) -> Interval:
    """Return the intervals that hold a share of COVERAGE of the truths.

    The answers must be out of fold. Offsets that depend on the predicted number are used where
    they gave the better intervals on the other half of the rows.
    """
    groups = min(MOST_GROUPS, len(truth) // FEWEST_IN_GROUP)
    if groups < 2 or not _are_groups_better(predictions, truth, groups):  # noqa: PLR2004
        groups = 1
    return _fit_groups(predictions, truth, groups)


def _are_groups_better(predictions: Array, truth: Array, groups: int) -> bool:
    losses = [0.0, 0.0]
    for fitted, held_out in _both_ways(len(truth)):
        for place, number in enumerate((1, groups)):
            interval = _fit_groups(predictions[fitted], truth[fitted], number)
            losses[place] += interval_score(interval, predictions[held_out], truth[held_out])
    return losses[1] < losses[0]


def _fit_groups(predictions: Array, truth: Array, groups: int) -> Interval:
    shares = np.arange(1, groups) / groups
    edges = np.unique(np.quantile(predictions, shares)) if groups > 1 else np.array([])
    group = np.searchsorted(edges, predictions, side="right")
    residuals = truth - predictions
    offsets = [_offsets(residuals[group == at], residuals) for at in range(len(edges) + 1)]
    return Interval(
        coverage=COVERAGE,
        edges=edges.tolist(),
        below=[low for low, _ in offsets],
        above=[high for _, high in offsets],
    )


def _offsets(residuals: Array, all_residuals: Array) -> tuple[float, float]:
    """Return the residuals that leave half of the rest on each side, counting one row more.

    A group without rows has the offsets of all rows.
    """
    ordered = np.sort(residuals if len(residuals) else all_residuals)
    # 1 - 0.9 is a little less than a tenth.
    outside = math.floor((len(ordered) + 1) * (1 - COVERAGE) / 2 + 1e-9)
    at = max(outside - 1, 0)
    # An interval holds its own prediction, even where most errors have the same sign.
    return min(float(ordered[at]), 0.0), max(float(ordered[len(ordered) - 1 - at]), 0.0)


def ends_of(interval: Interval, predictions: Array) -> tuple[Array, Array]:
    """Return both ends of the interval around each prediction."""
    group = np.searchsorted(interval.edges, predictions, side="right")
    below, above = np.array(interval.below), np.array(interval.above)
    return predictions + below[group], predictions + above[group]


def coverage_of(interval: Interval, predictions: Array, truth: Array) -> float:
    """Return the share of truths that lie within their interval."""
    low, high = ends_of(interval, predictions)
    return float(np.mean((low <= truth) & (truth <= high)))


def held_out_coverage(predictions: Array, truth: Array) -> float:
    """Return the share of truths within intervals fitted on the other half of the rows."""
    held = [
        coverage_of(fit_interval(predictions[one], truth[one]), predictions[other], truth[other])
        for one, other in _both_ways(len(truth))
    ]
    return float(np.mean(held))


def _both_ways(rows: int) -> list[tuple[Array, Array]]:
    """Return two halves of the rows in both orders."""
    order = np.random.default_rng(SEED).permutation(rows)
    halves = order[::2], order[1::2]
    return [halves, halves[::-1]]


def interval_score(interval: Interval, predictions: Array, truth: Array) -> float:
    """Return the mean width of the intervals, with a fine for each truth outside (Winkler 1972)."""
    low, high = ends_of(interval, predictions)
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return float(np.mean(high - low + 2 / (1 - COVERAGE) * outside))
