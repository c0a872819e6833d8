"""Metrics: the quality of out-of-fold answers, and whether one model is worse than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    mean_squared_error,
    precision_recall_fscore_support,
    r2_score,
)

Array: TypeAlias = npt.NDArray[Any]
Report: TypeAlias = dict[str, Any]

RESAMPLES = 200
SEED = 0


def classification_report(truth: Array, answers: Array, names: Sequence[str]) -> Report:
    """Return accuracy, the confusion matrix, and precision, recall and F1: macro, micro, by label.

    Rows of the confusion matrix are true labels, columns predicted ones, both in order of `names`.
    """
    each = precision_recall_fscore_support(truth, answers, labels=names, zero_division=0.0)
    report: Report = {"accuracy": float(accuracy_score(truth, answers)), "rows": len(truth)}
    for average in ("macro", "micro"):
        means = precision_recall_fscore_support(
            truth, answers, labels=names, average=average, zero_division=0.0
        )
        report[average] = _scores(*means[:3])
    report["labels"] = {
        name: {**_scores(*values[:3]), "rows": int(values[3])}
        for name, values in zip(names, zip(*each, strict=True), strict=True)
    }
    report["confusion"] = confusion_matrix(truth, answers, labels=names).tolist()
    return report


def _scores(precision: float, recall: float, f1: float) -> dict[str, float]:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def regression_report(truth: Array, answers: Array) -> Report:
    """Return R², the mean squared error (MSE) and its square root (RMSE)."""
    mse = float(mean_squared_error(truth, answers))
    return {"r2": float(r2_score(truth, answers)), "mse": mse, "rmse": mse**0.5, "rows": len(truth)}


def loss_rise(truth: Array, old: Array, new: Array, *, regression: bool) -> tuple[float, float]:
    """Return the rise of the loss from old to new answers on the same rows, and its standard error.

    The loss of a regression is the mean squared error, that of a classification is minus macro-F1,
    whose standard error comes from a paired bootstrap.
    """
    if regression:
        rises = (new - truth) ** 2 - (old - truth) ** 2
        return float(rises.mean()), float(rises.std(ddof=1) / len(rises) ** 0.5)
    generator = np.random.default_rng(SEED)
    rise = _macro_f1(truth, old) - _macro_f1(truth, new)
    rises = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        rows = generator.integers(0, len(truth), len(truth))
        rises[at] = _macro_f1(truth[rows], old[rows]) - _macro_f1(truth[rows], new[rows])
    return rise, float(rises.std(ddof=1))


def _macro_f1(truth: Array, answers: Array) -> float:
    return float(f1_score(truth, answers, average="macro", zero_division=0.0))


def is_worse(truth: Array, old: Array, new: Array, *, regression: bool) -> bool:
    """Return True if new answers are worse than old ones by more than one standard error."""
    rise, error = loss_rise(truth, old, new, regression=regression)
    return rise > error
