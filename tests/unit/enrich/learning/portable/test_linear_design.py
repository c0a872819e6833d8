"""Tests of the columns of linear models: knots of odd numbers, and the limit of text features."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from db.scoring.student_data import MOST_BYTES, NormedTextPart, PiecewisePart
from db.spec.field import NumberField, TextField
from enrich.learning.portable import text_block
from enrich.learning.portable.linear_model import LinearSettings
from enrich.learning.portable.search import fit_found, search
from tests.unit.enrich.learning.frames import silent, spec_of

from .exported import answers_of, case_of

BENT = LinearSettings("squares", 1.0, "piecewise-linear")
TENTHS = (0.1 + 0.2, 0.3, math.nextafter(0.3, 0), 0.7, 0.1 * 7)


def sentinel(at: int) -> float:
    """Return a number, or one that stands for a missing one."""
    return 1e15 if at % 50 == 0 else at * 37 % 101


ODD: dict[str, Callable[[int], float]] = {
    "rounding errors": lambda at: TENTHS[at % 5],
    "rounding errors among others": lambda at: (*TENTHS, 5.0, 9.0)[at % 7],
    "a sentinel": sentinel,
    "a negative sentinel": lambda at: -sentinel(at),
    "next to each other": lambda at: 1e9 + at * 1e-7,
}


@pytest.mark.parametrize("numbers", ODD.values(), ids=ODD)
@pytest.mark.parametrize("rows", [40, 200])
def test_numbers_that_hardly_differ_are_learnt(numbers: Callable[[int], float], rows: int) -> None:
    """A slope between two of them would be as good as endless, and answers would be noise."""
    made = [{"size": numbers(at), "other": at, "y": at % 13} for at in range(rows)]
    case = case_of(spec_of("regression", size=NumberField(), other=NumberField()), made)
    ensemble = case.fit_linear(BENT)
    part = ensemble.student([], case.learning.scale).parts["size"]
    assert isinstance(part, PiecewisePart)
    assert np.abs(np.frombuffer(part.slopes, "<f8")).max() < 1e6
    assert case.difference(ensemble) < 1e-6
    found = search(case.learning.problem, silent)
    assert case.difference(fit_found(case.learning.problem, found)) < 1e-6


def test_a_bend_stays_where_numbers_are_far_enough_from_each_other() -> None:
    """A sentinel that is not too large leaves the others their bend."""
    made = [{"size": at % 200 if at % 50 else 1e5, "y": abs(at % 200 - 100)} for at in range(600)]
    case = case_of(spec_of("regression", size=NumberField()), made)
    student = case.student(case.fit_linear(LinearSettings("squares", 100.0, "piecewise-linear")))
    asked: list[dict[str, Any]] = [{"size": size} for size in (5, 100, 195)]
    low, middle, high = answers_of(student, asked)[:, 0]
    assert middle < low - 40
    assert middle < high - 40


def test_of_too_many_features_of_texts_the_most_frequent_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The web process has to hold them; the student still answers as its model."""
    chance = random.Random(1)
    rows = []
    for at in range(200):
        rare = "".join(chance.choice("ghijklm") for _ in range(6))
        rows.append({"wish": f"{rare} {'sea' if at % 2 else 'hill'} {rare}", "y": at % 2 * 10})
    case = case_of(spec_of("regression", wish=TextField()), rows)
    monkeypatch.setattr(text_block, "MOST_FEATURES", 30)
    ensemble = case.fit_linear(LinearSettings("squares", 1.0))
    data = ensemble.student([], case.learning.scale)
    part = data.parts["wish"]
    assert isinstance(part, NormedTextPart)
    assert len(part.names) == 30
    assert {"sea", "hill", "=<s"} <= {*part.names}
    assert case.difference(ensemble) < 1e-6
    of_sea, of_hill = answers_of(case.student(ensemble), [{"wish": "a sea"}, {"wish": "a hill"}])
    assert of_sea > 8
    assert of_hill < 2


def test_the_weights_of_texts_have_room_in_a_student_however_many_labels_there_are() -> None:
    """Otherwise training would fail after minutes, when it writes the student."""
    for labels in (2, 100, 1000, 20_000):
        for texts in (1, 2, 10):
            kept = text_block.most_features(labels, texts)
            # Names of features take some bytes as well.
            assert texts * kept * (4 * (labels + 1) + 30) < MOST_BYTES or kept == 100_000
    assert text_block.most_features(100, 1) == 100_000


def test_a_model_of_many_labels_keeps_fewer_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a weight for each label and one for the norm; the student answers as its model."""
    rows = [{"wish": f"word{at % 50} sea{at % 4}", "y": f"sea{at % 4}"} for at in range(200)]
    case = case_of(spec_of("classification", wish=TextField()), rows)
    monkeypatch.setattr(text_block, "MOST_WEIGHTS", 5 * 60)
    ensemble = case.fit_linear(LinearSettings("margin", 0.4))
    part = ensemble.student([f"sea{at}" for at in range(4)], case.learning.scale).parts["wish"]
    assert isinstance(part, NormedTextPart)
    assert len(part.names) == 60
    assert case.difference(ensemble) < 1e-6
