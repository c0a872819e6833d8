"""Tests of teachers that a spec might name, in comparison with what inputs say."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from db.spec.field import NumberField
from enrich.learning.problem import make_problem
from enrich.learning.quality.calibration import calibration_error
from enrich.learning.selection import select, try_teacher
from enrich.learning.teacher import Candidate

from .frames import frame_of, no_rows, silent, spec_of


def test_a_teacher_that_is_certain_and_wrong_is_calibrated_by_its_errors() -> None:
    """A tree says 1 or 0 of every label, and is right about three rows in four."""
    spec = spec_of("classification", size=NumberField())
    chance, rows = random.Random(5), []
    for at in range(400):
        y = f"{(at > 200) != (chance.random() < 0.15)}"
        rows.append({"size": at, "y": y if at else "of one record"})
    frame = frame_of(spec, rows)
    learning = make_problem(spec, frame, no_rows(spec))
    tree = Candidate("tree", DecisionTree, is_demanded=True)
    tried = try_teacher(tree, learning, frame, no_rows(spec), silent)
    labels = learning.problem.rows.target.labels
    assert 0.6 < (tried.rows.argmax(axis=1) == labels).mean() < 0.85
    assert calibration_error(tried.rows, labels) < 0.05
    chances = tried.rows[np.arange(len(labels)), labels]
    assert -np.log(chances[labels != 2]).mean() < 0.8


class DecisionTree:
    """A tree of scikit-learn over the sizes of a table."""

    def fit(self, rows: Any, labels: Any) -> DecisionTree:  # noqa: ANN401
        """Fit a tree that repeats every label."""
        self._tree = DecisionTreeClassifier(random_state=0).fit(rows["size"][:, None], labels)
        self.classes_ = self._tree.classes_
        return self

    def predict_proba(self, rows: Any) -> Any:  # noqa: ANN401
        """Return 1 for one label, and 0 for the others."""
        return self._tree.predict_proba(rows["size"][:, None])


class Knowing:
    """A teacher that knows one size, and is wrong by the square root of 70 for all others."""

    def fit(self, _rows: Any, _labels: Any) -> Knowing:  # noqa: ANN401
        """Learn nothing."""
        return self

    def predict(self, rows: Any) -> Any:  # noqa: ANN401
        """Return the number of the size that it knows."""
        return np.where(rows["size"] == 15, 10.0, 70**0.5)


@pytest.mark.parametrize("repeats", [1, 30])
def test_a_teacher_that_knows_one_record_better_is_not_chosen(repeats: int) -> None:
    """However many of the rows are of that record: it may know it by chance."""
    spec = spec_of("regression", size=NumberField())
    rows = [{"size": 15, "y": 10.0}] * repeats
    rows += [{"size": at, "y": at % 2 / 10} for at in range(31) if at != 15]
    frame = frame_of(spec, rows)
    learning = make_problem(spec, frame, no_rows(spec))
    knowing = Candidate("knowing", Knowing)
    teacher = try_teacher(knowing, learning, frame, no_rows(spec), silent).rows[:, 0]
    selection = select(learning, [knowing], frame, no_rows(spec), silent)
    losses = [
        ((one[frame.index] - frame.labels) ** 2).mean()
        for one in (teacher, selection.student[:, 0])
    ]
    assert (losses[0] < losses[1]) == (repeats == 30)
    assert selection.teacher is None
