"""Tests of exported linear models: the student answers as the model that it was made from."""

from __future__ import annotations

import random
from typing import Any, Literal

import numpy as np
import pytest

from db.scoring.student_data import DatePart, PiecewisePart, WordPart
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    NumberField,
    TextField,
)
from enrich.learning.portable.boosting import TreeInputs, fit_boosting
from enrich.learning.portable.design import Terms
from enrich.learning.portable.ensemble import Ensemble
from enrich.learning.portable.linear_model import LinearSettings, fit_linear
from enrich.learning.portable.target import make_target
from tests.unit.enrich.learning.frames import spec_of

from .exported import TREES, Case, answers_of, case_of

# Weights of features are whole numbers.
ROUNDED = 1e-6
RIDGE = LinearSettings("squares", 1.0)
TABLE: dict[str, Field] = {
    "age": NumberField(optional=True),
    "size": NumberField(),
    "trip": ChoiceField(optional=True),
    "pool": BooleanField(optional=True),
}
WIDE: dict[str, Field] = {
    **TABLE,
    "seen": DatetimeField(optional=True),
    "wish": TextField(optional=True),
}
Target = Literal["regression", "two", "several"]
Kind = Literal["classification", "regression"]
Loss = Literal["logistic", "margin", "squares"]


def case_with(fields: dict[str, Field], target: Target) -> Case:
    """Return a problem of rows with gaps, some of them repeated, and of unlabelled ones."""
    chance = random.Random(11)
    rows: list[dict[str, Any]] = []
    for at in range(150):
        row: dict[str, Any] = {
            "age": None if at % 3 == 0 else chance.gauss(40, 15),
            "size": chance.lognormvariate(0, 2),
            "trip": (None, "work", "fun", "sport")[at % 4],
            "pool": (None, True, False)[at % 3],
            "seen": None if at % 5 == 0 else f"2024-{at % 12 + 1:02}-01T{at % 24:02}:00:00",
            "wish": None
            if at % 4 == 0
            else f"Une chambre {at % 7}, vue: 海の景色 {'!' * (at % 3)}",
        }
        value = (row["age"] or 10) / 20 + 2 * (row["trip"] == "fun") * row["size"] ** 0.5
        y = {"regression": value, "two": f"{value > 2}", "several": f"t{int(value) % 3}"}[target]
        rows += [{**{name: row[name] for name in fields}, "y": y}] * (1 + at % 2)
    odd = {"age": -1e99, "size": 1e99, "trip": "sea", "seen": "2031-01-01T00:00:00", "wish": "!!"}
    unlabelled = [{**rows[1], **odd}, {**rows[1], **dict.fromkeys(odd)}]
    inputs = [{name: row[name] for name in fields} for row in unlabelled]
    kind: Kind = "regression" if target == "regression" else "classification"
    return case_of(spec_of(kind, **fields), rows, inputs)


@pytest.mark.parametrize("target", ["regression", "two", "several"])
@pytest.mark.parametrize("terms", ["linear", "piecewise-linear", "pairs"])
def test_a_student_of_a_table_answers_as_its_linear_model(target: Target, terms: Terms) -> None:
    """With gaps, repeated rows, unseen choices and extreme numbers."""
    case = case_with(TABLE, target)
    loss: Loss = "squares" if target == "regression" else "logistic"
    assert case.difference(case.fit_linear(LinearSettings(loss, 1.0, terms))) < ROUNDED


@pytest.mark.parametrize("target", ["two", "several"])
@pytest.mark.parametrize("loss", ["margin", "logistic"])
@pytest.mark.parametrize("terms", ["linear", "piecewise-linear"])
def test_a_student_of_texts_and_dates_answers_as_its_linear_model(
    target: Target, loss: Literal["margin", "logistic"], terms: Terms
) -> None:
    """The texts have several scripts, and one of them has no word at all."""
    case = case_with(WIDE, target)
    settings = LinearSettings(loss, 0.4, terms, balance=0.35)
    assert case.difference(case.fit_linear(settings)) < ROUNDED


@pytest.mark.parametrize("terms", ["linear", "piecewise-linear"])
def test_a_student_of_numbers_from_texts_and_dates_answers_as_its_linear_model(
    terms: Terms,
) -> None:
    """The unit is the standard deviation of the target."""
    case = case_with(WIDE, "regression")
    assert case.difference(case.fit_linear(LinearSettings("squares", 1.0, terms))) < ROUNDED


@pytest.mark.parametrize("target", ["regression", "two", "several"])
def test_the_student_of_a_sum_answers_as_both_models_together(target: Target) -> None:
    """Each has its factor."""
    case = case_with(TABLE, target)
    problem = case.learning.problem
    rows = problem.rows.target
    loss: Loss = "squares" if target == "regression" else "logistic"
    settings = LinearSettings(loss, 1.0, "pairs")
    boosted, _ = fit_boosting(TreeInputs(problem.features), rows, TREES, rounds=20)
    whole = Ensemble(
        width=rows.width,
        linear=fit_linear(problem.features, rows, settings),
        linear_factor=0.7,
        boosted=boosted,
        boosted_factor=0.4,
    )
    assert case.difference(whole) < ROUNDED


def fit_numbers(field: Field, rows: list[dict[str, Any]], numbers: list[float]) -> Case:
    """Return the problem of one field named `given`."""
    spec = spec_of("regression", given=field)
    return case_of(spec, [{**row, "y": y} for row, y in zip(rows, numbers, strict=True)])


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
    rows = [{"given": None if at % 2 else value} for at in range(40)]
    case = fit_numbers(field, rows, [100.0 if at % 2 else 10.0 for at in range(40)])
    student = case.student(case.fit_linear(RIDGE))
    assert student.number({"given": None}) > 90
    assert student.number({"given": value}) < 20  # type: ignore[dict-item]
    assert student.warnings({"given": None}) == []


@pytest.mark.parametrize("terms", ["linear", "piecewise-linear", "pairs"])
def test_a_column_without_any_value_changes_nothing(terms: Terms) -> None:
    """Its number has no range, so that no value is outside of it."""
    empty: dict[str, Field] = {
        "age": NumberField(optional=True),
        "trip": ChoiceField(optional=True),
    }
    spec = spec_of("regression", **empty, area=NumberField())
    rows = [{**dict.fromkeys(empty), "area": at, "y": 3.0 * at} for at in range(40)]
    case = case_of(spec, rows)
    student = case.student(case.fit_linear(LinearSettings("squares", 1.0, terms)))
    assert student.number({**dict.fromkeys(empty), "area": 20}) == pytest.approx(60, abs=3)
    assert student.warnings({**dict.fromkeys(empty), "area": 20, "age": 7}) == []


def test_a_choice_seen_once_is_known() -> None:
    """Its weight is small, but it causes no warning."""
    rows = [{"given": "Lyon"}] * 20 + [{"given": "Nantes"}]
    case = fit_numbers(ChoiceField(), rows, [float(at % 3) for at in range(21)])
    student = case.student(case.fit_linear(RIDGE))
    assert student.warnings({"given": "Nantes"}) == []
    assert student.warnings({"given": "Brest"}) == ["given: 'Brest' was not seen in training"]


def test_texts_without_a_common_word_are_learnt_as_a_constant() -> None:
    """scikit-learn refuses a matrix without columns."""
    rows = [{"given": "?" * at} for at in range(1, 21)]
    case = fit_numbers(TextField(), rows, [float(at) for at in range(20)])
    student = case.student(case.fit_linear(RIDGE))
    assert student.number({"given": "room"}) == pytest.approx(9.5)


def test_a_function_of_a_number_bends_where_the_numbers_are() -> None:
    """A straight line cannot follow; outside of the numbers the last piece goes on."""
    rows = [{"given": at} for at in range(200)]
    case = fit_numbers(NumberField(), rows, [abs(at - 100.0) for at in range(200)])
    straight, bent = (
        case.student(case.fit_linear(LinearSettings("squares", 10.0, terms)))
        for terms in ("linear", "piecewise-linear")
    )
    found = [student.number({"given": 100}) for student in (straight, bent)]
    assert found[0] > 40
    assert found[1] < 15
    assert bent.number({"given": 230}) > bent.number({"given": 199}) > 80


def test_a_date_is_stored_as_the_weights_of_its_parts() -> None:
    """Words have a row for each value, numbers a range."""
    spec = spec_of("regression", day=DateField(), at=DatetimeField())
    rows = [
        {"day": f"2024-01-{at:02}", "at": f"2024-01-01T{at:02}:30:00", "y": at}
        for at in range(1, 21)
    ]
    case = case_of(spec, rows)
    ensemble = case.fit_linear(RIDGE)
    parts = ensemble.student([], case.learning.scale).parts
    day, at = parts["day"], parts["at"]
    assert isinstance(day, DatePart)
    assert isinstance(at, DatePart)
    days, weekday, hour = day.parts["days"], day.parts["weekday"], at.parts["hour"]
    assert isinstance(days, PiecewisePart)
    assert isinstance(weekday, WordPart)
    assert isinstance(hour, WordPart)
    assert (days.low, days.high) == (19723, 19742)
    assert weekday.names == ["1", "2", "3", "4", "5", "6", "7"]
    assert "hour" not in day.parts
    assert hour.names[0] == "01"


@pytest.mark.parametrize(("numbers", "lowest"), [([0.0, 1.0], 0.0), ([-1.0, 1.0], None)])
def test_only_targets_that_are_never_negative_have_a_lowest_answer(
    numbers: list[float], lowest: float | None
) -> None:
    """A count or a price is never below zero, a temperature may be."""
    case = fit_numbers(NumberField(), [{"given": at} for at in range(20)], numbers * 10)
    data = case.fit_linear(RIDGE).student([], case.learning.scale)
    assert data.lowest == lowest
    student = case.student(case.fit_linear(LinearSettings("squares", 100.0)))
    assert (student.number({"given": -1e9}) >= 0) is (lowest == 0)


def test_rows_with_one_label_give_a_model_that_always_answers_it() -> None:
    """The other labels may all be in the fold that is held out."""
    case = case_with(TABLE, "several")
    target = case.learning.problem.rows.target
    rows = target.only(target.labels == 1)
    features = case.learning.problem.features
    model = fit_linear(features, rows, LinearSettings("margin", 0.4, balance=0.35))
    answers = answers_of(case.student(Ensemble(width=3, linear=model)), case.inputs)
    assert answers[:, 1].min() > 0.999


def test_equal_rows_are_learnt_as_one_with_a_larger_weight() -> None:
    """The model is the same, and the fit is quicker."""
    target = make_target(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 1, 1]), 2, is_number=False)
    assert target.records.tolist() == [0, 0, 1]
    assert target.labels.tolist() == [0, 1, 1]
    assert target.weights.tolist() == [1, 2, 2]
