"""The choice of a dataset's teacher and student by what they answer out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .portable.search import Found, loss_of, retry_linear, search
from .portable.trial import Progress
from .problem import DatasetProblem
from .quality.calibration import LEAST_PROBABILITY, fit_temperature
from .quality.metrics import is_worse
from .quality.out_of_fold import losses_of
from .teacher import Candidate, answer, fit_teacher, sharpen
from .training_table import Frame

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class TriedTeacher:
    """A teacher's out-of-fold answers, and what it answered for unlabelled records by fold.

    The logarithms of its probabilities are multiplied by `factor`, which calibrates them.
    """

    candidate: Candidate
    rows: Array
    factor: float = 1.0
    unlabelled: Mapping[int, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Selection:
    """The chosen kinds of models, and their out-of-fold answers, a row for each record.

    Without a teacher the student is the teacher. With `learns_answers` the student learns the
    teacher's answers to unlabelled records as well.
    """

    found: Found
    student: Array
    teacher: TriedTeacher | None = None
    learns_answers: bool = False

    @property
    def name(self) -> str:
        """The name of the teacher in reports."""
        return self.teacher.candidate.name if self.teacher else self.found.name

    @property
    def teacher_factor(self) -> float:
        """The factor that calibrates the teacher's probabilities."""
        return self.teacher.factor if self.teacher else 1.0

    @property
    def teacher_rows(self) -> Array:
        """The teacher's out-of-fold answers."""
        return self.teacher.rows if self.teacher else self.student


def select(
    learning: DatasetProblem,
    candidates: Sequence[Candidate],
    frame: Frame,
    unlabelled: Frame,
    progress: Progress,
) -> Selection:
    """Return the best portable model, and the best teacher if it is better than that.

    A teacher that only training has is preferred if the portable model is worse by more than one
    standard error, or if the spec demands it.
    """
    found = search(learning.problem, progress)
    student = learning.answers(found.scores)
    tried = [try_teacher(one, learning, frame, unlabelled, progress) for one in candidates]
    best = min(tried, key=lambda one: _losses(one.rows, learning, frame).mean(), default=None)
    if best is None:
        return Selection(found, student)
    teacher_losses = _losses(best.rows, learning, frame)
    student_losses = _losses(student, learning, frame)
    if not best.candidate.is_demanded and not is_worse(teacher_losses, student_losses, frame.index):
        return Selection(found, student)
    return _distil(learning, Selection(found, student, best), len(frame.keys), progress)


def _losses(rows: Array, learning: DatasetProblem, frame: Frame) -> Array:
    return losses_of(rows[frame.index], frame.labels, learning.names)


def try_teacher(
    candidate: Candidate,
    learning: DatasetProblem,
    frame: Frame,
    unlabelled: Frame,
    progress: Progress,
) -> TriedTeacher:
    """Return the answers of a teacher, for each fold fitted on all others."""
    rows = np.zeros((len(frame.keys), max(len(learning.names), 1)))
    seen = np.zeros(rows.shape, dtype=bool)
    answered: dict[int, Array] = {}
    folds = np.unique(frame.folds).tolist()
    for fold in folds:
        train, test = np.flatnonzero(frame.row_folds != fold), np.flatnonzero(frame.folds == fold)
        estimator = fit_teacher(candidate, frame.table[frame.index[train]], frame.labels[train])
        rows[test] = answer(estimator, frame.table[test], learning.names, learning.lowest)
        seen[test] = np.isin(learning.names, frame.labels[train]) if learning.names else True
        if len(unlabelled.keys):
            answered[fold] = answer(estimator, unlabelled.table, learning.names, learning.lowest)
        progress(f"{candidate.name}, fold {fold + 1} of {len(folds)}", len(frame.keys))
    if not learning.names:
        return TriedTeacher(candidate, rows, unlabelled=answered)
    target = learning.problem.rows.target
    # A label that was absent from a fold has no probability, and says nothing about the others.
    known = target.only(seen[target.records, target.labels])
    logs = np.log(np.clip(rows, LEAST_PROBABILITY, 1.0))[known.records]
    factor = fit_temperature(logs, known.labels, known.weights)
    answered = {fold: sharpen(one, factor) for fold, one in answered.items()}
    sharpened = np.where(seen, sharpen(rows, factor), 0.0)
    return TriedTeacher(candidate, sharpened, factor, answered)


def _distil(
    learning: DatasetProblem, selection: Selection, labelled: int, progress: Progress
) -> Selection:
    """Return the selection with a student that learns the teacher's answers, if that is better.

    In each fold it learns from the teacher of the same folds. Otherwise the held-out labels would
    reach it through the teacher's answers.
    """
    teacher, found = selection.teacher, selection.found
    if teacher is None or not teacher.unlabelled or found.boosted or not found.linear:
        return selection
    if found.linear.settings.terms == "pairs":
        # Products of so many more records would not fit.
        return selection
    answered = {
        fold: learning.as_target(labelled + np.arange(len(answers)), answers)
        for fold, answers in teacher.unlabelled.items()
    }
    problem = learning.problem
    rows = replace(problem.rows, answered=answered)
    retried = retry_linear(replace(problem, rows=rows), found, progress)
    target = problem.rows.target
    if loss_of(retried.scores, target) >= loss_of(found.scores, target):
        return selection
    student = learning.answers(retried.scores)
    return replace(selection, found=retried, student=student, learns_answers=True)
