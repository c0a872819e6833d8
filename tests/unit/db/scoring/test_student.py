"""Tests of the student as a whole: its scores, probabilities and numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.student import Student, softmax
from db.scoring.student_data import StudentData, WordPart
from db.spec.field import Inputs

from .random_students import (
    KINDS,
    SHIFT,
    numbers_of_labels,
    packed,
    random_inputs,
    random_kinds,
    random_student,
)
from .student_reference import amounts_of, scores_of


def assert_scores(data: StudentData, inputs: Inputs) -> None:
    """Compare the answer with that of the reference."""
    student, wanted = Student(data), scores_of(data, inputs)
    size = 1 + sum(max(map(abs, row)) for row in amounts_of(data, inputs).values())
    if data.labels:
        assert student.probabilities(inputs) == pytest.approx(
            softmax(wanted), abs=1e-12 + 1e-14 * size
        )
    number = data.target_mean + data.target_scale * wanted[0]
    assert data.labels or student.number(inputs) == pytest.approx(
        number, abs=1e-12 * size * data.target_scale
    )


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, 2**32), numbers_of_labels, random_inputs)
def test_a_student_of_each_kind_scores_as_the_reference(
    kind: str, seed: int, labels: int, inputs: Inputs
) -> None:
    """Extreme and missing numbers, unknown choices, texts in several scripts, dates."""
    assert_scores(random_student(seed, labels, {kind}), inputs)


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, random_inputs)
def test_a_mixed_student_adds_up_what_all_its_parts_say(
    seed: int, labels: int, kinds: set[str], inputs: Inputs
) -> None:
    """Linear parts, pairs and trees of the same fields."""
    assert_scores(random_student(seed, labels, kinds), inputs)


@given(st.integers(0, 2**32), random_kinds, random_inputs)
def test_inputs_are_read_without_being_changed(seed: int, kinds: set[str], inputs: Inputs) -> None:
    """The same inputs have the same answer, with a new student as well."""
    before = dict(inputs)
    student = Student(random_student(seed, 3, kinds))
    first = student.probabilities(inputs), student.explain(inputs), student.warnings(inputs)
    again = student.probabilities(inputs), student.explain(inputs), student.warnings(inputs)
    new = Student(random_student(seed, 3, kinds))
    assert first == again
    assert first[0] == new.probabilities(inputs)
    assert inputs == before


def steps(bias: float, lowest: float | None = None) -> Student:
    """Return a student of prices: one standard deviation of 20 more if there is a view."""
    view = WordPart(["True"], packed([2**SHIFT]))
    return Student(
        StudentData(
            labels=[],
            bias=[bias],
            shift=SHIFT,
            parts={"view": view},
            target_mean=100.0,
            target_scale=20.0,
            lowest=lowest,
        )
    )


def test_a_number_is_predicted_in_its_own_unit() -> None:
    """The score counts standard deviations of the target from its mean."""
    assert steps(0.25).number({"view": False}) == 105.0
    assert steps(0.25).number({"view": True}) == 125.0


def test_no_answer_is_below_the_lowest() -> None:
    """A straight line would go below zero."""
    assert steps(-6.0).number({"view": True}) == 0.0
    assert steps(-6.0).number({"view": False}) == -20.0
    assert steps(-6.0, lowest=0.0).number({"view": False}) == 0.0
    assert steps(-5.5, lowest=0.0).number({"view": True}) == 10.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_probabilities_sum_to_one_however_large_the_scores(scores: list[float]) -> None:
    """The highest score gets the highest probability."""
    probabilities = softmax(scores)
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities[scores.index(max(scores))] == max(probabilities)


def test_the_ratio_of_probabilities_is_the_exponential_of_the_difference_of_scores() -> None:
    """That is what explanations of labels rest on."""
    one, other, third = softmax([2.0, 0.5, -700.0])
    assert math.log(one / other) == pytest.approx(1.5)
    assert math.log(one / third) == pytest.approx(702.0)
