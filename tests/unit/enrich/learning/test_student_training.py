"""Tests of the student's training: what it learns from gaps, choices, dates and repeated rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from db.scoring.student import (
    DatePart,
    NumberPart,
    Student,
    WordPart,
    decode_student,
    encode_student,
)
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    NumberField,
    TextField,
)
from enrich.learning.student_design import StudentDesign, distinct_rows
from enrich.learning.student_training import StudentTrainingSet, fit_student

from .frames import spec_of


def regression_student(
    spec: DatasetSpec, rows: Sequence[Mapping[str, Any]], numbers: Sequence[float]
) -> Student:
    """Return a student fitted on numbers, as it is read from the store."""
    labels = np.array(numbers, dtype=float)
    data = fit_student(spec, StudentTrainingSet(rows, labels, [], np.zeros(0), []))[2]
    return Student(decode_student(*encode_student(data)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (NumberField(optional=True), 30),
        (ChoiceField(optional=True), "fun"),
        (BooleanField(optional=True), True),
        (TextField(optional=True), "a room"),
        (DateField(optional=True), "2024-01-31"),
        (DatetimeField(optional=True), "2024-01-31T08:00:00"),
    ],
)
def test_a_missing_value_is_a_value_of_its_own(field: Field, value: object) -> None:
    """Only the gap tells the numbers apart, and no default is put into it."""
    spec = spec_of("regression", given=field)
    rows = [{"given": None if at % 2 else value} for at in range(40)]
    student = regression_student(spec, rows, [100.0 if at % 2 else 10.0 for at in range(40)])
    assert student.number({"given": None}) > 90
    assert student.number({"given": value}) < 20  # type: ignore[dict-item]
    assert student.warnings({"given": None}) == []


def test_a_value_that_was_never_missing_in_training_is_unknown() -> None:
    """The number and the choice of the others are as good as their mean."""
    spec = spec_of("regression", age=NumberField(), trip=ChoiceField())
    rows = [{"age": at, "trip": ("work", "fun")[at % 2]} for at in range(40)]
    student = regression_student(spec, rows, [100.0 + at for at in range(40)])
    assert student.number({"age": None, "trip": None}) == pytest.approx(119.5, abs=3)


def test_a_column_without_any_value_changes_nothing() -> None:
    """Its number has no range, so that no value is outside of it."""
    empty: dict[str, Field] = {
        "age": NumberField(optional=True),
        "trip": ChoiceField(optional=True),
        "day": DateField(optional=True),
        "wish": TextField(optional=True),
    }
    spec = spec_of("regression", **empty, area=NumberField())
    rows = [{**dict.fromkeys(empty), "area": at} for at in range(40)]
    student = regression_student(spec, rows, [3.0 * at for at in range(40)])
    assert student.number({**dict.fromkeys(empty), "area": 20}) == pytest.approx(60, abs=3)
    assert student.warnings({**dict.fromkeys(empty), "area": 20, "age": 7}) == []


def test_a_choice_seen_once_is_known() -> None:
    """Its weight is small, but it causes no warning."""
    spec = spec_of("regression", town=ChoiceField())
    rows = [{"town": "Lyon"}] * 20 + [{"town": "Nantes"}]
    student = regression_student(spec, rows, [float(at % 3) for at in range(21)])
    assert student.warnings({"town": "Nantes"}) == []
    assert student.warnings({"town": "Brest"}) == ["town: 'Brest' was not seen in training"]


def test_texts_without_a_common_word_are_learnt_as_a_constant() -> None:
    """scikit-learn refuses a matrix without columns."""
    spec = spec_of("regression", wish=TextField())
    rows = [{"wish": "?" * at} for at in range(1, 21)]
    student = regression_student(spec, rows, [float(at) for at in range(20)])
    assert student.number({"wish": "room"}) == pytest.approx(9.5)


def test_a_date_is_stored_as_the_weights_of_its_parts() -> None:
    """Words have a row for each value, numbers a range."""
    spec = spec_of("regression", day=DateField(), at=DatetimeField())
    rows = [{"day": f"2024-01-{at:02}", "at": f"2024-01-01T{at:02}:30:00"} for at in range(1, 21)]
    training = StudentTrainingSet(rows, np.arange(20.0), [], np.zeros(0), [])
    parts = fit_student(spec, training)[2].parts
    assert isinstance(parts["day"], DatePart)
    assert isinstance(parts["at"], DatePart)
    days, weekday = parts["day"].parts["days"], parts["day"].parts["weekday"]
    assert isinstance(days, NumberPart)
    assert isinstance(weekday, WordPart)
    assert (days.low, days.high) == (19723, 19742)
    assert weekday.names == ["1", "2", "3", "4", "5", "6", "7"]
    assert "hour" not in parts["day"].parts
    hour = parts["at"].parts["hour"]
    assert isinstance(hour, WordPart)
    assert hour.names[0] == "01"


def test_the_student_scores_as_the_model_that_it_was_made_from() -> None:
    """With gaps, dates, unseen values and repeated rows, to 1e-6."""
    spec = spec_of(
        "classification",
        age=NumberField(optional=True),
        trip=ChoiceField(optional=True),
        seen=DatetimeField(optional=True),
        wish=TextField(optional=True),
    )
    rows = [
        {
            "age": None if at % 3 == 0 else at,
            "trip": (None, "work", "fun")[at % 3],
            "seen": None if at % 5 == 0 else f"2024-{at % 12 + 1:02}-01T{at % 24:02}:00:00",
            "wish": None if at % 4 == 0 else f"room {at % 7} view",
        }
        for at in range(60)
    ]
    repeated = [row for row in rows for _ in range(3)]
    labels = np.array([("big", "small")[at % 2] for at in range(180)])
    training = StudentTrainingSet(repeated, labels, [], np.zeros((0, 2)), ["big", "small"])
    model, design, data = fit_student(spec, training)
    asked: list[dict[str, Any]] = [
        *rows,
        {"age": 99, "trip": "sport", "seen": "2031-01-01T00:00:00", "wish": "other"},
    ]
    student = Student(data)
    ours = np.array([student.probabilities(dict(row)) for row in asked])
    assert np.abs(ours - model.predict_proba(design.matrix(asked))).max() < 1e-6


def test_repeated_rows_are_computed_once_and_count_each_time() -> None:
    """The same object is the same record."""
    first, second = {"age": 1}, {"age": 9}
    distinct, index = distinct_rows([first, second, first, first])
    assert distinct == [first, second]
    assert index.tolist() == [0, 1, 0, 0]
    spec = spec_of("regression", age=NumberField())
    matrix = StudentDesign(spec, [first, second, first, first]).matrix(
        [first, second, first, first]
    )
    apart = [{"age": 1}, {"age": 9}, {"age": 1}, {"age": 1}]
    assert np.array_equal(matrix.toarray(), StudentDesign(spec, apart).matrix(apart).toarray())


@pytest.mark.parametrize(("numbers", "lowest"), [([0.0, 1.0], 0.0), ([-1.0, 1.0], None)])
def test_only_targets_that_are_never_negative_have_a_lowest_answer(
    numbers: list[float], lowest: float | None
) -> None:
    """A count or a price is never below zero, a temperature may be."""
    spec = spec_of("regression", age=NumberField())
    rows = [{"age": at} for at in range(20)]
    labels = np.array(numbers * 10)
    data = fit_student(spec, StudentTrainingSet(rows, labels, [], np.zeros(0), []))[2]
    assert data.lowest == lowest


def test_rows_with_one_label_give_a_student_that_always_answers_it() -> None:
    """The other labels may all be in the fold that is held out."""
    spec = spec_of("classification", age=NumberField())
    rows = [{"age": at} for at in range(20)]
    training = StudentTrainingSet(
        rows, np.array(["big"] * 20), rows, np.array([[1.0, 0.0]] * 20), ["big", "small"]
    )
    data = fit_student(spec, training)[2]
    assert data.labels == ["big"]
    assert Student(data).probabilities({"age": 5}) == [1.0]
