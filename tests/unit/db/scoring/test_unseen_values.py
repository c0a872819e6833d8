"""Tests of warnings about values unlike those of training."""

from __future__ import annotations

import pytest

from db.scoring.student import Student
from db.scoring.student_data import (
    ChoiceInput,
    DatePart,
    NumberInput,
    NumberPart,
    Part,
    PiecewisePart,
    StudentData,
    TextPart,
    TreesData,
    WordPart,
)
from db.spec.field import Inputs
from tests.random_trees import Node, pack_trees

from .random_students import packed, packed_floats


def number(low: float, high: float) -> NumberPart:
    """Return a number part of students of format 1."""
    return NumberPart(
        mean=0.0, scale=1.0, low=low, high=high, edges=[], slopes=[0.0], weights=packed([0])
    )


def pieces(low: float, high: float) -> PiecewisePart:
    """Return a number part of newer students."""
    nothing = packed_floats([0.0])
    return PiecewisePart(
        mean=0.0, scale=1.0, low=low, high=high, edges=[], offsets=nothing, slopes=nothing
    )


def words(*names: str) -> WordPart:
    """Return values without weight."""
    return WordPart([*names], packed([0] * len(names)))


def linear(**parts: Part) -> Student:
    """Return a student of these parts."""
    return Student(StudentData(labels=[], bias=[0.0], shift=0, parts=parts))


def of_trees(
    inputs: list[NumberInput | ChoiceInput], unread: list[NumberInput | ChoiceInput]
) -> Student:
    """Return a student of a tree that is a leaf."""
    trees = TreesData(columns=[0], inputs=inputs, unread=unread, nodes=pack_trees([Node(0.0)]))
    return Student(StudentData(labels=[], bias=[0.0], shift=0, parts={}, trees=trees))


STUDENTS = {
    "format 1": linear(age=number(18, 80), trip=words("fun", "work")),
    "pieces": linear(age=pieces(18, 80), trip=words("fun", "work")),
    "trees": of_trees(
        [NumberInput("age", 18, 80), ChoiceInput("trip", ["fun"], rare=["work"])], []
    ),
    "unread by trees": of_trees(
        [], [NumberInput("age", 18, 80), ChoiceInput("trip", ["fun"], rare=["work"])]
    ),
}


@pytest.mark.parametrize("student", STUDENTS.values(), ids=STUDENTS)
@pytest.mark.parametrize(
    ("inputs", "warnings"),
    [
        ({"age": 18, "trip": "fun"}, []),
        ({"age": 80, "trip": "work"}, []),
        ({"age": None, "trip": None}, []),
        ({"age": 12, "trip": "fun"}, ["age: 12 is below 18, the smallest seen in training"]),
        ({"age": 80.5, "trip": None}, ["age: 80.5 is above 80, the largest seen in training"]),
        ({"age": None, "trip": "sport"}, ["trip: 'sport' was not seen in training"]),
        (
            {"age": 1e300, "trip": ""},
            [
                "age: 1e+300 is above 80, the largest seen in training",
                "trip: '' was not seen in training",
            ],
        ),
    ],
)
def test_a_value_that_training_had_not_causes_a_warning(
    student: Student, inputs: Inputs, warnings: list[str]
) -> None:
    """Of whichever kind the student is; a rare choice was seen, a missing value is none."""
    assert student.warnings(inputs) == warnings
    assert student.number(inputs) == 0.0


@pytest.mark.parametrize("is_read", [True, False])
def test_a_choice_with_too_many_values_to_list_causes_no_warning(*, is_read: bool) -> None:
    """It may have been one of those that are not listed; other fields still warn."""
    inputs: list[NumberInput | ChoiceInput] = [
        NumberInput("age", 18, 80),
        ChoiceInput("trip", ["fun"], rare=None),
    ]
    student = of_trees(inputs, []) if is_read else of_trees([], inputs)
    assert student.warnings({"age": 18, "trip": "sport"}) == []
    assert len(student.warnings({"age": 12, "trip": "sport"})) == 1


def test_texts_and_booleans_cause_no_warning() -> None:
    """A text is nearly always new; a boolean has two values."""
    student = linear(wish=TextPart(["sea"], packed([0])), lift=words("True"))
    assert student.warnings({"wish": "unheard", "lift": False}) == []


def test_a_value_that_both_kinds_of_model_read_causes_one_warning() -> None:
    """A mixed student has both."""
    trees = TreesData(
        columns=[0], inputs=[NumberInput("age", 18, 80)], nodes=pack_trees([Node(0.0)])
    )
    parts: dict[str, Part] = {"age": pieces(18, 80)}
    data = StudentData(labels=[], bias=[0.0], shift=0, parts=parts, trees=trees)
    assert len(Student(data).warnings({"age": 90})) == 1


def test_limits_in_warnings_are_plain_decimal_numbers() -> None:
    """They have no exponent and no superfluous digits."""
    student = linear(age=pieces(0.1, 1_000_000.0))
    assert student.warnings({"age": 0}) == ["age: 0 is below 0.1, the smallest seen in training"]
    assert " above 1000000, " in student.warnings({"age": 2_000_000})[0]


def sales() -> Student:
    """Return a student of a day in 2024 and of a moment on its first day."""
    day = DatePart({"days": number(19723, 20088), "weekday": words("7"), "year": number(5, 5)})
    moment = DatePart({"days": pieces(19723, 19723.75), "hour": words("08")})
    return linear(day=day, opened=moment)


SALES = {
    "linear": sales(),
    "trees": of_trees(
        [NumberInput("day.days", 19723, 20088), ChoiceInput("day.weekday", ["7"])],
        [NumberInput("opened.days", 19723, 19723.75), ChoiceInput("opened.hour", ["08"])],
    ),
}


@pytest.mark.parametrize("student", SALES.values(), ids=SALES)
def test_a_date_outside_the_training_data_causes_a_warning_that_shows_dates(
    student: Student,
) -> None:
    """A weekday, an hour or a year on its own causes none."""
    usual = "2024-01-01T08:00:00"
    assert student.warnings({"day": "2024-06-01", "opened": usual}) == []
    assert student.warnings({"day": None, "opened": None}) == []
    assert student.warnings({"day": "2025-01-01", "opened": usual}) == [
        "day: 2025-01-01 is above 2024-12-31, the largest seen in training"
    ]
    assert student.warnings({"day": "2023-12-31", "opened": "2024-01-01T18:01:00"}) == [
        "day: 2023-12-31 is below 2024-01-01, the smallest seen in training",
        "opened: 2024-01-01T18:01:00 is above 2024-01-01T18:00, the largest seen in training",
    ]
