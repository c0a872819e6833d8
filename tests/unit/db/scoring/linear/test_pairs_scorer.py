"""Tests of the scores of pairs of values, and of what each field adds to them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.linear.pairs_scorer import PairsScorer
from db.scoring.student_data import ChoiceInput, PairsData, ScaledNumber
from db.spec.field import Inputs
from tests.unit.db.scoring.random_students import (
    packed_floats,
    random_inputs,
    random_student,
)
from tests.unit.db.scoring.student_reference import scores_of

# Rows and columns: the number age, the number size, the choices fun and missing.
WEIGHTS = (
    *(0.5, 2.0, 3.0, 7.0),
    *(2.0, 0.25, -1.0, 0.0),
    *(3.0, -1.0, 0.0, 0.0),
    *(7.0, 0.0, 0.0, 0.0),
)


def pairs(columns: list[int]) -> PairsData:
    """Return pairs of two numbers and a choice, with the same weights for each column."""
    return PairsData(
        columns=columns,
        inputs=[
            ScaledNumber("age", 40.0, 10.0),
            ScaledNumber("size", 0.0, 1.0),
            ChoiceInput("trip", ["fun", ""]),
        ],
        weights=packed_floats([weight for weight in WEIGHTS for _ in columns]),
        means={name: [0.0] * 3 for name in ("age", "size", "trip")},
    )


@pytest.mark.parametrize(
    ("inputs", "amounts"),
    [
        # Squares, the product of both numbers, and each number times the choice.
        (
            {"age": 60, "size": 3, "trip": "fun"},
            {"age": 2 + 6 + 3, "size": 2.25 + 6 - 1.5, "trip": 3 - 1.5},
        ),
        ({"age": 60, "size": None, "trip": "fun"}, {"age": 2 + 3, "size": 0, "trip": 3}),
        ({"age": 60, "size": None, "trip": None}, {"age": 2 + 7, "size": 0, "trip": 7}),
        ({"age": 60, "size": 3, "trip": "sport"}, {"age": 2 + 6, "size": 2.25 + 6, "trip": 0}),
        ({"age": None, "size": None, "trip": "fun"}, {"age": 0, "size": 0, "trip": 0}),
        ({"age": 1e300, "size": None, "trip": ""}, {"age": 5e11 + 3.5e6, "size": 0, "trip": 3.5e6}),
    ],
)
def test_each_field_has_half_of_its_products(inputs: Inputs, amounts: dict[str, float]) -> None:
    """A missing number takes part in none; an extreme one counts as a million deviations."""
    scorer = PairsScorer(pairs([0]), 3)
    found = scorer.amounts(inputs)
    assert {name: row[0] for name, row in found.items()} == pytest.approx(amounts)
    assert scorer.scores(inputs) == pytest.approx([sum(amounts.values()), 0.0, 0.0])


def test_only_some_scores_have_pairs() -> None:
    """The others are 0."""
    inputs: Inputs = {"age": 50, "size": 1, "trip": "fun"}
    total = 0.5 + 0.25 + 2 + 3 - 1
    assert PairsScorer(pairs([2]), 3).scores(inputs) == [0.0, 0.0, total]
    assert PairsScorer(pairs([1, 2]), 3).scores(inputs) == [0.0, total, total]


def test_each_score_has_weights_of_its_own() -> None:
    """They stand next to each other for each two atoms."""
    data = PairsData(
        columns=[0, 1],
        inputs=[ScaledNumber("age", 0.0, 1.0)],
        weights=packed_floats([2.0, -5.0]),
        means={"age": [0.0, 0.0]},
    )
    assert PairsScorer(data, 2).scores({"age": 3}) == [18.0, -45.0]


@given(st.integers(0, 2**32), st.integers(1, 5), random_inputs)
def test_random_pairs_score_as_the_reference(seed: int, labels: int, inputs: Inputs) -> None:
    """Numbers, parts of dates, choices and booleans; amounts add up to the scores."""
    data = random_student(seed, labels, {"pairs"})
    assert data.pairs
    values = dict(inputs)
    day = inputs["day"]
    values["day.year"] = None if day is None else int(str(day)[:4])
    scorer = PairsScorer(data.pairs, labels)
    scores = scorer.scores(values)
    expected = [
        score - bias for score, bias in zip(scores_of(data, inputs), data.bias, strict=True)
    ]
    amounts = scorer.amounts(values)
    size = 1 + sum(abs(one) for row in amounts.values() for one in row)
    assert scores == pytest.approx(expected, abs=1e-9 * size)
    added = [sum(column) for column in zip(*amounts.values(), strict=True)]
    assert added == pytest.approx(scores, abs=1e-9 * size)


def test_the_order_of_fields_in_the_row_does_not_matter() -> None:
    """Values are found by name."""
    chance = random.Random(1)
    inputs: Inputs = {"age": 55, "size": -2.5, "trip": "fun"}
    shuffled = chance.sample([*inputs.items()], 3)
    scorer = PairsScorer(pairs([0]), 3)
    assert scorer.scores(dict(shuffled)) == scorer.scores(inputs)
