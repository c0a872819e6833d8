"""Metrics: the quality of out-of-fold answers, and whether one model is worse than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Report: TypeAlias = dict[str, Any]

RESAMPLES = 200
SEED = 0


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
    places = [_places(labels, names) for labels in (truth, answers)]
    counts: Array = np.bincount(places[0] * width + places[1], minlength=width**2)
    return counts.reshape(width, width)


def _places(labels: Array, names: Sequence[str]) -> Array:
    """Return the position of each label in `names`."""
    at = {name: place for place, name in enumerate(names)}
    distinct, index = np.unique(labels, return_inverse=True)
    places: Array = np.array([at[name] for name in distinct.tolist()], dtype=int)[index]
    return places


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
    """Return R², the mean squared error (MSE) and its square root (RMSE).

    R² of a truth that never varies is 1 if every answer is right, and otherwise 0.
    """
    mse, variance = float(((answers - truth) ** 2).mean()), float(truth.var())
    r2 = 1 - mse / variance if variance else float(mse == 0)
    return {"r2": r2, "mse": mse, "rmse": mse**0.5, "rows": len(truth)}


def loss_rise(truth: Array, old: Array, new: Array, *, regression: bool) -> tuple[float, float]:
    """Return the rise of the loss from old to new answers on the same rows, and its standard error.

    The loss of a regression is the mean squared error, that of a classification is minus macro-F1,
    whose standard error comes from a paired bootstrap.
    """
    if regression:
        rises = (new - truth) ** 2 - (old - truth) ** 2
        return float(rises.mean()), float(rises.std(ddof=1) / len(rises) ** 0.5)
    names = sorted({*truth.tolist(), *old.tolist(), *new.tolist()})
    triples, counts = np.unique(
        np.stack([_places(labels, names) for labels in (truth, old, new)]),
        axis=1,
        return_counts=True,
    )
    generator = np.random.default_rng(SEED)
    # Rows with the same three labels are alike, so that only their number is drawn.
    samples = generator.multinomial(len(truth), counts / len(truth), RESAMPLES)
    rises = np.array([_fall(triples, sample, len(names)) for sample in samples])
    return _fall(triples, counts, len(names)), float(rises.std(ddof=1))


def _fall(triples: Array, counts: Array, width: int) -> float:
    """Return how much macro-F1 falls from old to new, where each triple occurs so often."""
    truth, old, new = triples
    return _macro_f1(truth, old, counts, width) - _macro_f1(truth, new, counts, width)


def _macro_f1(truth: Array, answers: Array, counts: Array, width: int) -> float:
    """Return the mean F1 of the labels that occur among truth or answers."""
    true = np.bincount(truth, counts, width)
    predicted = np.bincount(answers, counts, width)
    right = np.bincount(truth, counts * (truth == answers), width)
    occurring = true + predicted > 0
    return float((2 * right[occurring] / (true + predicted)[occurring]).mean())


def is_worse(truth: Array, old: Array, new: Array, *, regression: bool) -> bool:
    """Return True if new answers are worse than old ones by more than one standard error."""
    rise, error = loss_rise(truth, old, new, regression=regression)
    return rise > error
