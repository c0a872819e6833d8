"""How good answers are: metrics out of fold, and whether one model is worse than another."""

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
    """Return accuracy, macro and micro precision, recall and F1, and each label's own."""
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
    """Return R², the mean squared error and its root."""
    mse = float(mean_squared_error(truth, answers))
    return {"r2": float(r2_score(truth, answers)), "mse": mse, "rmse": mse**0.5, "rows": len(truth)}


def loss_rise(truth: Array, old: Array, new: Array, *, regression: bool) -> tuple[float, float]:
    """Return how much worse new answers are than old ones on the same rows, and its standard error.

    Worse is a higher mean squared error, or a lower macro-F1; for that the standard error is a
    paired bootstrap's.
    """
    if regression:
        rises = (new - truth) ** 2 - (old - truth) ** 2
        return float(rises.mean()), float(rises.std(ddof=1) / len(rises) ** 0.5)
    chance = np.random.default_rng(SEED)
    rise = _macro_f1(truth, old) - _macro_f1(truth, new)
    rises = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        rows = chance.integers(0, len(truth), len(truth))
        rises[at] = _macro_f1(truth[rows], old[rows]) - _macro_f1(truth[rows], new[rows])
    return rise, float(rises.std(ddof=1))


def _macro_f1(truth: Array, answers: Array) -> float:
    return float(f1_score(truth, answers, average="macro", zero_division=0.0))


def is_worse(truth: Array, old: Array, new: Array, *, regression: bool) -> bool:
    """Tell whether new answers are more than one standard error worse than old ones."""
    rise, error = loss_rise(truth, old, new, regression=regression)
    return rise > error
