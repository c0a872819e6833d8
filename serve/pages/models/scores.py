"""The scores of a version as the pages show them, and differences between two versions."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from db.records.models.trained_model import Model
from db.versions.difference import Difference
from db.versions.metric_differences import metric_difference
from serve.pages.formatting import decimals_for, number, signed
from serve.pages.language.translation import mark

Metrics: TypeAlias = Mapping[str, Any]

ROLES = {"teacher": mark("Teacher"), "student": mark("Student"), "baseline": mark("Guessing")}
LABEL_SCORES = (mark("Precision"), mark("Recall"), mark("F1"))
# The names of measures, and where the scores have them.
_LABEL_MEASURES = {
    mark("Accuracy"): ("accuracy",),
    mark("Macro-F1"): ("macro", "f1"),
    mark("Precision"): ("macro", "precision"),
    mark("Recall"): ("macro", "recall"),
    mark("Log loss"): ("log_loss",),
}
_NUMBER_MEASURES = {
    mark("R²"): ("r2",),
    mark("RMSE"): ("rmse",),
    mark("Mean error"): ("mae",),
}
MEASURE_NAMES = {
    "accuracy": mark("Accuracy"),
    "log_loss": mark("Log loss"),
    "mae": mark("Mean error"),
    "mse": mark("Mean squared error"),
}
# Of these, more is better.
RISING_MEASURES = frozenset({"accuracy"})


@dataclass(frozen=True)
class VersionRow:
    """One version in the list: its headline scores, and their change since the version before."""

    model: Model
    scores: Sequence[str]
    difference: Difference | None


def are_numbers(metrics: Metrics) -> bool:
    """Return True if a version answers numbers and not labels."""
    return "mse" in (metrics.get("teacher") or {})


def measure_names(metrics: Metrics) -> list[str]:
    """Return the English names of what a version is measured by."""
    return list(_NUMBER_MEASURES if are_numbers(metrics) else _LABEL_MEASURES)


def score_rows(metrics: Metrics) -> list[tuple[str, list[str]]]:
    """Return the scores of teacher, student and guessing, a dash where there is none."""
    measures = _NUMBER_MEASURES if are_numbers(metrics) else _LABEL_MEASURES
    return [
        (name, [_score(metrics[role], path) for path in measures.values()])
        for role, name in ROLES.items()
        if metrics.get(role)
    ]


def _score(scores: Metrics, path: Sequence[str]) -> str:
    value: Any = scores
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return number(value)


def version_rows(models: Sequence[Model], shown: int) -> list[VersionRow]:
    """Return the first of some versions, the newest first, each with its change since the next."""
    pairs = list(itertools.zip_longest(models, models[1:]))[:shown]
    return [
        VersionRow(
            model,
            [headline_score(model.metrics, role) for role in ROLES],
            metric_difference(older.metrics, model.metrics, "teacher") if older else None,
        )
        for model, older in pairs
    ]


def headline_score(metrics: Metrics, role: str) -> str:
    """Return the accuracy, or the mean error of numbers, of a role in a version."""
    return _score(metrics.get(role) or {}, ("mae",) if are_numbers(metrics) else ("accuracy",))


def difference_text(difference: Difference, digits: int | None = None) -> str:
    """Return a change with its standard error, such as "+0.108 ± 0.009"."""
    digits = difference_decimals(difference) if digits is None else digits
    return f"{signed(difference.change, digits)} ± {number(difference.error, digits)}"


def difference_decimals(difference: Difference) -> int:
    """Return how many decimals suit a difference: three for shares, else by their size."""
    largest = max(abs(difference.before), abs(difference.after))
    return 3 if largest <= 1 else decimals_for(difference.error or largest)


def is_better(difference: Difference, *, rising: bool) -> str:
    """Return "fine" or "bad" for a change beyond chance, "" for one that may be chance."""
    if not difference.is_beyond_chance:
        return ""
    return "fine" if (difference.change > 0) == rising else "bad"
