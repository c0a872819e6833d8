"""Fits portable models, and compares them with the students that they are exported to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.scoring.student import Student
from db.scoring.student_data import decode_student, encode_student
from db.spec.dataset_spec import DatasetSpec
from enrich.learning.portable.boosting import BoostingSettings, fit_boosting
from enrich.learning.portable.ensemble import Ensemble
from enrich.learning.portable.linear_model import LinearSettings, fit_linear
from enrich.learning.problem import DatasetProblem, make_problem
from tests.unit.enrich.learning.frames import frame_of, unlabelled_of

Array: TypeAlias = npt.NDArray[Any]
TREES = BoostingSettings(learning_rate=0.1, leaves=8)


@dataclass(frozen=True)
class Case:
    """A problem with the inputs of its records: first the labelled, then the unlabelled ones."""

    learning: DatasetProblem
    inputs: list[dict[str, Any]]

    @property
    def every_record(self) -> Array:
        """The positions of all records."""
        return np.arange(len(self.inputs))

    def fit_trees(self, rounds: int = 30, settings: BoostingSettings = TREES) -> Ensemble:
        """Return trees fitted on all labelled records."""
        problem = self.learning.problem
        target = problem.rows.target
        boosted, _ = fit_boosting(problem.tree_inputs(None), target, settings, rounds=rounds)
        return Ensemble(width=target.width, boosted=boosted)

    def fit_linear(self, settings: LinearSettings) -> Ensemble:
        """Return a linear model fitted on all labelled records."""
        problem = self.learning.problem
        target = problem.rows.target
        return Ensemble(width=target.width, linear=fit_linear(problem.features, target, settings))

    def student(self, ensemble: Ensemble) -> Student:
        """Return the student of a model, as it is read from the store."""
        data = ensemble.student(self.learning.names, self.learning.scale)
        return Student(decode_student(*encode_student(data)))

    def difference(self, ensemble: Ensemble) -> float:
        """Return by how much student and model differ at most, over all records.

        The unit is a probability, or the standard deviation of the numbers.
        """
        expected = self.learning.answers(ensemble.scores(self.every_record))
        found = answers_of(self.student(ensemble), self.inputs)
        return float(np.abs(found - expected).max() / self.learning.scale.deviation)


def answers_of(student: Student, inputs: Sequence[dict[str, Any]]) -> Array:
    """Return a row of probabilities, or of one number, for each of the inputs."""
    if student.labels:
        return np.array([student.probabilities(one) for one in inputs])
    return np.array([[student.number(one)] for one in inputs])


def case_of(
    spec: DatasetSpec,
    rows: Sequence[dict[str, Any]],
    unlabelled: Sequence[dict[str, Any]] = (),
) -> Case:
    """Return the problem of labelled rows and unlabelled inputs."""
    frame = frame_of(spec, rows)
    learning = make_problem(spec, frame, unlabelled_of(spec, unlabelled))
    return Case(learning, [*frame.inputs, *unlabelled])
