"""How much better a new model is than the one before, with the uncertainty of the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .metrics import loss_rise
from .out_of_fold import ModelKind

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Gain:
    """The accuracy, or the mean error of numbers, of two models on the same rows."""

    measure: str
    before: float
    after: float
    # The standard error of the difference.
    error: float

    def __str__(self) -> str:
        figure = "{:.3f}" if self.measure == "accuracy" else "{:,.4g}"
        before, after = figure.format(self.before), figure.format(self.after)
        change = figure.format(abs(self.after - self.before))
        sign = "−" if self.after < self.before else "+"
        return f"{before} → {after} ({sign}{change} ± {figure.format(self.error)})"


def measure_gain(
    before: Array, after: Array, truth: Array, labels: Sequence[str], records: Array
) -> Gain:
    """Return the gain from earlier to later answers to the same rows.

    The answers are a row of probabilities for each label, or of one number. `records` has the
    record of each row, a position: rows of the same record are not independent.
    """
    scores = [_scores(answers, truth, labels) for answers in (before, after)]
    _, error = loss_rise(scores[0], scores[1], records)
    measure = "accuracy" if labels else "mean error"
    return Gain(measure, float(scores[0].mean()), float(scores[1].mean()), error)


def _scores(answers: Array, truth: Array, labels: Sequence[str]) -> Array:
    """Return whether each answer is right, 1 or 0, or by how much the number is wrong."""
    if labels:
        named = np.array(labels)[answers.argmax(axis=1)]
        right: Array = (named == truth).astype(float)
        return right
    errors: Array = np.abs(answers[:, 0] - truth)
    return errors


def describe_gains(gains: Mapping[ModelKind, Gain]) -> str:
    """Return the gains of teacher and student in words; those of one model if both are the same."""
    teacher, student = gains["teacher"], gains["student"]
    if teacher == student:
        return f"{teacher.measure} {teacher}"
    return f"teacher {teacher.measure} {teacher}, student {student}"
