"""Rare labels: how many of them are found by their probability instead of as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .metrics import Report

Array: TypeAlias = npt.NDArray[Any]

# A label with a smaller share of the rows is seldom the most likely one; of many labels each has
# less, so that the limit is half of an even share.
RARE_SHARE = 0.2
# Of fewer rows a threshold would be chance.
FEWEST_ROWS = 20


def find_thresholds(
    probabilities: Array, truth: Array, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return for each rare label the probability from which on to act, which has the best F1.

    Probabilities are out of fold, rows by labels; `truth` are positions. Each threshold comes with
    the precision and recall of all rows whose probability is at least as large.
    """
    shares = np.bincount(truth[truth >= 0], minlength=len(names)) / max(len(truth), 1)
    limit = min(RARE_SHARE, 0.5 / max(len(names), 1))
    return {
        name: _best_threshold(probabilities[:, at], truth == at)
        for at, name in enumerate(names)
        if shares[at] * len(truth) >= FEWEST_ROWS and shares[at] < limit
    }


def _best_threshold(probability: Array, is_label: Array) -> Report:
    order = np.argsort(-probability, kind="stable")
    ordered = probability[order]
    right = np.cumsum(is_label[order])
    chosen = np.arange(1, len(order) + 1)
    # Rows of equal probability are chosen together.
    last = np.append(ordered[1:] < ordered[:-1], [True])
    f1 = np.where(last, 2 * right / (chosen + is_label.sum()), 0.0)
    at = int(f1.argmax())
    return {
        "threshold": float(ordered[at]),
        "precision": float(right[at] / chosen[at]),
        "recall": float(right[at] / is_label.sum()),
    }
