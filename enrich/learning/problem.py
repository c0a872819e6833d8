"""The learning problem of a dataset: what its portable models read and learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from db.spec.dataset_spec import DatasetSpec

from .column import is_input
from .portable.ensemble import TargetScale
from .portable.features import make_features, spread
from .portable.search import Problem
from .portable.target import Target, make_target
from .portable.trial import LabelledRows
from .training_table import Frame, extent_of

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class DatasetProblem:
    """A problem with the names of its labels, none for a regression, and the scale of its numbers.

    The records of the features are first the labelled, then the unlabelled ones.
    """

    names: list[str]
    scale: TargetScale
    problem: Problem

    @property
    def lowest(self) -> float:
        """The smallest number that may be answered."""
        return -math.inf if self.scale.lowest is None else self.scale.lowest

    def answers(self, scores: Array) -> Array:
        """Return scores as answers: rows of probabilities by `names`, or of one number."""
        rows: Array = softmax(scores, axis=1) if self.names else self.scale.to_numbers(scores)
        return rows

    def as_target(self, records: Array, answers: Array) -> Target:
        """Return a teacher's answers to records as a target to learn.

        A classification learns the most likely label, weighted by its probability.
        """
        if not self.names:
            scores = self.scale.to_scores(answers[:, 0])
            return Target(records, scores, np.ones(len(records)), 1, is_number=True)
        labels = answers.argmax(axis=1)
        return Target(records, labels, answers.max(axis=1), len(self.names), is_number=False)


def make_problem(spec: DatasetSpec, frame: Frame, unlabelled: Frame) -> DatasetProblem:
    """Return the problem of the labelled and unlabelled records of a dataset."""
    names = sorted(set(frame.labels.tolist())) if spec.kind == "classification" else []
    scale = _scale(frame.labels) if not names else TargetScale()
    labels = np.searchsorted(names, frame.labels) if names else scale.to_scores(frame.labels)
    target = make_target(frame.index, labels, max(len(names), 1), is_number=not names)
    columns = list(frame.table.dtype.names or ())
    inputs = [name for name in columns if is_input(spec, name)]
    table = np.concatenate([frame.table[inputs], unlabelled.table[inputs]])
    return DatasetProblem(
        names=names,
        scale=scale,
        problem=Problem(
            features=make_features(spec, table),
            rows=LabelledRows(target, frame.folds),
            repeats=extent_of(frame).repeats,
        ),
    )


def _scale(labels: Array) -> TargetScale:
    """Return the scale of numbers; if none is negative, no answer is."""
    return TargetScale(
        mean=float(labels.mean()),
        deviation=spread(labels, np.ones(len(labels))),
        lowest=0.0 if labels.min() >= 0 else None,
    )
