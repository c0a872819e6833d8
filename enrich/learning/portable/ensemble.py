"""The sum of a linear model and of boosted trees, and its form as a student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.scoring.student_data import LinearData, StudentData

from .boosting import BoostedModel
from .linear_model import LinearModel
from .tree_export import export_trees

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Ensemble:
    """Models whose scores, each multiplied by its factor, add up to the scores of a student.

    `texts` is the linear model whose scores of the text fields the trees read.
    """

    width: int
    linear: LinearModel | None = None
    linear_factor: float = 1.0
    boosted: BoostedModel | None = None
    boosted_factor: float = 1.0
    texts: LinearModel | None = None

    def scores(self, records: Array) -> Array:
        """Return the scores of records, one row for each and one column for each class."""
        total = np.zeros((len(records), self.width))
        if self.linear:
            total += self.linear_factor * self.linear.scores(records)
        if self.boosted:
            total += self.boosted_factor * self.boosted.scores(records)
        return total

    def student(self, labels: list[str], scale: TargetScale) -> StudentData:
        """Return the ensemble as plain data."""
        data = LinearData(bias=[0.0] * self.width, shift=0, parts={})
        if self.linear:
            data = self.linear.data(self.linear_factor)
        trees, start = None, np.zeros(self.width)
        if self.boosted:
            texts = self.texts.data() if self.texts else None
            trees, start = export_trees(self.boosted, texts, self.boosted_factor)
        return StudentData(
            labels=labels,
            bias=(np.array(data.bias) + start).tolist(),
            shift=data.shift,
            parts=data.parts,
            means=data.means,
            pairs=data.pairs,
            target_mean=scale.mean,
            target_scale=scale.deviation,
            lowest=scale.lowest,
            trees=trees,
        )


@dataclass(frozen=True)
class TargetScale:
    """What the scores of a regression are measured in: standard deviations from the mean.

    Answers below `lowest` are raised to it, if there is one. Labels need no scale.
    """

    mean: float = 0.0
    deviation: float = 1.0
    lowest: float | None = None

    def to_scores(self, numbers: Array) -> Array:
        """Return numbers of the target as scores."""
        scores: Array = (numbers - self.mean) / self.deviation
        return scores

    def to_numbers(self, scores: Array) -> Array:
        """Return scores as numbers of the target."""
        numbers: Array = self.mean + self.deviation * scores
        return numbers if self.lowest is None else np.maximum(numbers, self.lowest)
