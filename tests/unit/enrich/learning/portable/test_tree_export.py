"""Tests of exported trees: the student answers as scikit-learn does, whatever the inputs are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

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
from enrich.learning.portable.boosting import MOST_CODES, BoostingSettings
from enrich.learning.portable.search import fit_found, search
from tests.unit.enrich.learning.frames import silent, spec_of

from .exported import Case, answers_of, case_of

Kind = Literal["classification", "regression"]
EXACT = 1e-9
FIELDS: dict[str, Field] = {
    "age": NumberField(optional=True),
    "width": NumberField(),
    "trip": ChoiceField(optional=True),
    "town": ChoiceField(),
    "pool": BooleanField(optional=True),
    "seen": DatetimeField(optional=True),
    "day": DateField(),
}
LABELS: dict[str, Callable[[float, random.Random], Any]] = {
    "regression": lambda value, _: 100 + 30 * value,
    "two": lambda value, chance: "high" if value + chance.gauss(0, 0.3) > 1 else "low",
    "several": lambda value, chance: "abcd"[int(4 * value + chance.random()) % 4],
}


def row_of(chance: random.Random) -> dict[str, Any]:
    """Return random inputs, with gaps."""
    return {
        "age": None if chance.random() < 0.2 else chance.gauss(40, 15),
        "width": chance.choice((0, 0.1, 0.30000000000000004, 1e-9, chance.random())),
        "trip": chance.choice((None, "work", "fun", "sport")),
        # Many towns occur once.
        "town": f"town {int(chance.paretovariate(0.4)) % 900}",
        "pool": chance.choice((None, True, False)),
        "seen": None
        if chance.random() < 0.2
        else f"2024-{chance.randint(1, 12):02}-01T{chance.randint(0, 23):02}:30:00",
        "day": f"20{chance.randint(10, 25)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
    }


def value_of(row: dict[str, Any]) -> float:
    """Return what the target depends on: every field has a share."""
    hour = int(row["seen"][11:13]) if row["seen"] else 30
    value: float = (
        (row["age"] or -20) / 40
        + row["width"] * (row["trip"] in {"work", None})
        + len(row["town"]) / 8
        + (0.5 if row["pool"] else 0.2)
        + math.sin(hour / 4)
        + int(row["day"][5:7]) / 12
    )
    return value


def random_case(target: str, rows: int = 500) -> Case:
    """Return a problem of random rows, and of unlabelled ones with values that none of them has."""
    chance = random.Random(7)
    kind: Kind = "regression" if target == "regression" else "classification"
    spec = spec_of(kind, **FIELDS)
    made = [row_of(chance) for _ in range(rows)]
    labelled = [{**row, "y": LABELS[target](value_of(row), chance)} for row in made]
    odd = {"age": 1e9, "width": -1e9, "trip": "sea", "town": "Brest", "day": "2099-02-28"}
    unlabelled = [{**row_of(chance), **odd}, *(row_of(chance) for _ in range(50))]
    return case_of(spec, labelled, unlabelled)


@pytest.mark.parametrize("target", LABELS)
def test_the_student_of_trees_answers_as_scikit_learn(target: str) -> None:
    """Numbers, gaps, dates and choices, of which some were seen in unlabelled records alone."""
    case = random_case(target)
    ensemble = case.fit_trees()
    assert ensemble.boosted is not None
    assert np.ptp(ensemble.scores(case.every_record)) > 0.5
    assert case.difference(ensemble) < EXACT


@pytest.mark.parametrize("target", ["regression", "several"])
def test_trees_read_the_most_frequent_of_many_values(target: str) -> None:
    """All rarer ones are one value, which does not warn of values that were seen."""
    case = random_case(target, rows=3000)
    towns = {inputs["town"] for inputs in case.inputs}
    assert len(towns) > MOST_CODES
    ensemble = case.fit_trees()
    assert case.difference(ensemble) < EXACT
    student = case.student(ensemble)
    assert not any(student.warnings(inputs) for inputs in case.inputs[:3000])
    asked = {**case.inputs[0], "town": "nowhere"}
    assert student.warnings(asked) == ["town: 'nowhere' was not seen in training"]


def test_a_choice_that_no_labelled_record_has_goes_where_unseen_ones_go() -> None:
    """The student answers for it as for a value that it has never heard of."""
    spec = spec_of("regression", town=ChoiceField(), size=NumberField())
    chance = random.Random(3)
    rows = []
    for _ in range(300):
        # Most rows are on one side, to which scikit-learn sends unseen values.
        town, size = chance.choice("aaabc"), chance.random()
        rows.append({"town": town, "size": size, "y": 10 * (town == "a") + size})
    case = case_of(spec, rows, [{"town": "z", "size": 0.5}])
    ensemble = case.fit_trees()
    student = case.student(ensemble)
    assert case.difference(ensemble) < EXACT
    asked = [{"town": town, "size": 0.5} for town in ("z", "never")]
    of_z, of_never = answers_of(student, asked)
    assert of_z == of_never
    assert of_z > 5


def test_a_label_without_a_row_to_learn_from_is_as_good_as_impossible() -> None:
    """One fold may hold all rows of a label."""
    case = random_case("several")
    target = case.learning.problem.rows.target
    rows = target.only(target.labels != 2)
    lacking = Case(_with_target(case, rows), case.inputs)
    ensemble = lacking.fit_trees()
    assert lacking.difference(ensemble) < EXACT
    probabilities = answers_of(lacking.student(ensemble), case.inputs)
    assert probabilities[:, 2].max() < 1e-3
    assert probabilities[:, [0, 1, 3]].max() > 0.5


@pytest.mark.parametrize("kept", [(0,), (1, 3)])
def test_a_student_of_one_or_two_labels_out_of_four_answers_as_its_model(
    kept: tuple[int, ...],
) -> None:
    """scikit-learn has one score for two labels, and none for one."""
    case = random_case("several")
    target = case.learning.problem.rows.target
    rows = target.only(np.isin(target.labels, kept))
    lacking = Case(_with_target(case, rows), case.inputs)
    ensemble = lacking.fit_trees()
    assert lacking.difference(ensemble) < EXACT
    assert answers_of(lacking.student(ensemble), case.inputs)[:, kept].sum(axis=1).min() > 0.999


def _with_target(case: Case, target: Any) -> Any:  # noqa: ANN401
    problem = case.learning.problem
    return replace(
        case.learning, problem=replace(problem, rows=replace(problem.rows, target=target))
    )


MAKERS: dict[str, Callable[[int], object]] = {
    "empty": lambda _: None,
    "nearly empty": lambda at: 7 if at == 3 else None,
    "constant": lambda _: 7,
    "extreme": lambda at: (-1) ** at * 10.0**at,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_trees_can_be_fitted_on_any_column_of_numbers(kind: str) -> None:
    """scikit-learn refuses columns without any number; the student answers if one comes later."""
    spec = spec_of("regression", odd=NumberField(optional=True), size=NumberField())
    rows = [{"odd": MAKERS[kind](at), "size": at, "y": (at - 50) ** 2} for at in range(100)]
    asked = [{"odd": odd, "size": at} for odd in (None, 7, -1e99, 1e99) for at in (0, 50)]
    case = case_of(spec, rows, asked)
    ensemble = case.fit_trees()
    assert np.ptp(ensemble.scores(case.every_record)) > 0.5
    assert case.difference(ensemble) < EXACT


def mixed_rows(chance: random.Random, spec: DatasetSpec, count: int) -> list[dict[str, Any]]:
    """Return rows whose target is an interaction of two numbers, and a word of a text."""
    words = ["red", "green", "blue", "room", "view", "sea"]
    rows = []
    for _ in range(count):
        wish = " ".join(chance.choice(words) for _ in range(3))
        left, right = chance.random(), chance.random()
        y = ((left > 0.5) != (right > 0.5)) * 2 + ("red" in wish)
        rows.append(
            {
                "wish": wish,
                "left": left,
                "right": right,
                "y": y if spec.kind == "regression" else f"t{y}",
            }
        )
    return rows


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_trees_that_read_the_scores_of_texts_answer_as_the_model(kind: Any) -> None:  # noqa: ANN401
    """Also for unlabelled records, whose texts no fold has scored."""
    spec = spec_of(kind, wish=TextField(), left=NumberField(), right=NumberField())
    chance = random.Random(5)
    unlabelled = [{"wish": "a red view", "left": 0.1, "right": 0.9}]
    case = case_of(spec, mixed_rows(chance, spec, 250), unlabelled)
    found = search(case.learning.problem, silent)
    assert found.boosted is not None
    assert found.texts is not None
    ensemble = fit_found(case.learning.problem, found)
    assert case.difference(ensemble) < 1e-6


def test_thresholds_decide_equal_numbers_as_training_did() -> None:
    """The numbers lie next to each other, at the limits of what a float can tell apart."""
    spec = spec_of("regression", size=NumberField(), other=NumberField())
    size, rows = 0.1, []
    for at in range(60):
        rows += [{"size": size, "other": other, "y": at} for other in range(3)]
        size = math.nextafter(size, 1)
    case = case_of(spec, rows)
    settings = BoostingSettings(learning_rate=0.3, leaves=31, fewest_in_leaf=3)
    assert case.difference(case.fit_trees(60, settings)) < EXACT
