"""Metrics: the quality of answers, and whether one model is worse than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Report: TypeAlias = dict[str, Any]


def classification_report(truth: Array, answers: Array, names: Sequence[str]) -> Report:
    """Return accuracy, the confusion matrix, and precision, recall and F1: macro, micro, by label.

    Rows of the confusion matrix are true labels, columns predicted ones, both in order of `names`,
    which has every label of both.
    """
    confusion = _confusion(truth, answers, names)
    precision, recall, f1 = _scores(confusion)
    accuracy = float(np.trace(confusion) / max(confusion.sum(), 1))
    return {
        "accuracy": accuracy,
        "rows": len(truth),
        "macro": _score(precision.mean(), recall.mean(), f1.mean()),
        # Where each row has one label and one answer, these are the accuracy.
        "micro": _score(accuracy, accuracy, accuracy),
        "labels": {
            name: {**_score(*scores), "rows": int(rows)}
            for name, *scores, rows in zip(
                names, precision, recall, f1, confusion.sum(axis=1), strict=True
            )
        },
        "confusion": confusion.tolist(),
    }


def _confusion(truth: Array, answers: Array, names: Sequence[str]) -> Array:
    width = len(names)
    places = [positions_of(labels, names) for labels in (truth, answers)]
    counts: Array = np.bincount(places[0] * width + places[1], minlength=width**2)
    return counts.reshape(width, width)


def positions_of(truth: Array, labels: Sequence[str]) -> Array:
    """Return the position of each true label among `labels`, -1 where it is none of them."""
    at = {name: position for position, name in enumerate(labels)}
    distinct, index = np.unique(truth, return_inverse=True)
    positions: Array = np.array([at.get(name, -1) for name in distinct.tolist()], dtype=int)[index]
    return positions


def _scores(confusion: Array) -> tuple[Array, Array, Array]:
    """Return precision, recall and F1 of each label; 0 where there is nothing to divide by.

    `confusion` has true labels by predicted ones in its last two axes.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    precision, recall = right / np.maximum(predicted, 1), right / np.maximum(true, 1)
    return precision, recall, 2 * right / np.maximum(true + predicted, 1)


def _score(precision: float, recall: float, f1: float) -> dict[str, float]:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def regression_report(truth: Array, answers: Array) -> Report:
    """Return R², the mean squared error (MSE), its square root (RMSE), and the mean error (MAE).

    R² of a truth that never varies is 1 if every answer is right, and otherwise 0.
    """
    mse, variance = float(((answers - truth) ** 2).mean()), float(truth.var())
    r2 = 1 - mse / variance if variance else float(mse == 0)
    mae = float(np.abs(answers - truth).mean())
    return {"r2": r2, "mse": mse, "rmse": mse**0.5, "mae": mae, "rows": len(truth)}


def loss_rise(old: Array, new: Array, records: Array) -> tuple[float, float]:
    """Return the mean rise from old to new losses of the same rows, and its standard error.

    `records` has the record of each row, a position: rows of the same record are not independent.
    """
    rises = new - old
    sums = np.bincount(records, rises - rises.mean())
    count = len(np.unique(records))
    if count < 2:  # noqa: PLR2004  one record has no spread
        return float(rises.mean()), 0.0
    error = ((sums**2).sum() * count / (count - 1)) ** 0.5 / len(rises)
    return float(rises.mean()), float(error)


def is_worse(old: Array, new: Array, records: Array) -> bool:
    """Return True if new losses are larger than old ones by more than one standard error."""
    rise, error = loss_rise(old, new, records)
    return rise > error
