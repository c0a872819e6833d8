"""Tests of the linear scorer: words, numbers in bins, dates, and weights as lanes of integers."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.features import text_features
from db.scoring.linear.linear_scorer import LinearScorer
from db.scoring.student import Student
from db.scoring.student_data import (
    DatePart,
    LinearData,
    NumberPart,
    StudentData,
    TextPart,
    WordPart,
)
from db.spec.field import Inputs
from tests.unit.db.scoring.random_students import LARGEST, packed


def rooms() -> LinearData:
    """Return a model of two classes with one part of each kind of format 1."""
    return LinearData(
        bias=[0.5, -0.25],
        shift=4,
        parts={
            "wish": TextPart(["view", "sea", "<se"], packed([16, -16, 8, 0, -4, 4])),
            "trip": WordPart(["work", "fun"], packed([0, 32, 16, 0])),
            "age": NumberPart(
                mean=40.0,
                scale=10.0,
                low=18.0,
                high=80.0,
                edges=[30.0, 50.0],
                slopes=[0.125, -0.125],
                weights=packed([1, 2, 3, 4, 5, 6]),
            ),
        },
    )


@pytest.mark.parametrize(
    ("inputs", "scores"),
    [
        # Only the number is known: bias, slope × deviation and a bin.
        ({"wish": "?", "trip": "none", "age": 40}, [0.5 + 3 / 16, -0.25 + 4 / 16]),
        ({"wish": "View", "trip": "none", "age": 40}, [1.5 + 3 / 16, -1.25 + 4 / 16]),
        ({"wish": "sea", "trip": "fun", "age": 40}, [1.75 + 3 / 16, 4 / 16]),
        ({"wish": "?", "trip": "work", "age": 20}, [0.25 + 1 / 16, 2.0 + 2 / 16]),
        ({"wish": "?", "trip": "none", "age": 50}, [0.625 + 5 / 16, -0.375 + 6 / 16]),
        ({"wish": "?", "trip": "none", "age": 29.5}, [0.36875 + 1 / 16, -0.11875 + 2 / 16]),
        # A model from before values could be missing adds nothing for one.
        ({"wish": None, "trip": None, "age": None}, [0.5, -0.25]),
    ],
)
def test_scores_are_sums_of_bias_weights_and_slopes(inputs: Inputs, scores: list[float]) -> None:
    """Features that training never saw have no weight; one that is repeated counts once."""
    scorer = LinearScorer(rooms())
    assert scorer.scores(inputs) == pytest.approx(scores)
    assert scorer.scores({**inputs, "wish": f"{inputs['wish'] or '?'} ?"}) == pytest.approx(scores)


def test_scores_do_not_change_when_a_caller_changes_them() -> None:
    """Each call returns a list of its own, of a model without parts as well."""
    for data, inputs in ((rooms(), {"wish": None, "trip": None, "age": None}), (bare(), {})):
        scorer = LinearScorer(data)
        scorer.scores(inputs)[0] = 9.0
        scorer.contributions(inputs)[0][0] = 9.0
        assert scorer.scores(inputs) == scorer.contributions(inputs)[0] == [0.5, -0.25]


def bare() -> LinearData:
    """Return a model that is its bias alone."""
    return LinearData(bias=[0.5, -0.25], shift=4, parts={})


def test_a_missing_value_has_a_weight_of_its_own() -> None:
    """Each kind has one, and the number neither slope nor bin; the word None is another one."""
    data = LinearData(
        bias=[0.0, 0.0],
        shift=4,
        parts={
            "wish": TextPart(["", "none"], packed([16, 0, 0, 99])),
            "trip": WordPart(["", "None"], packed([32, 0, 0, 99])),
            "age": NumberPart(
                mean=40.0,
                scale=10.0,
                low=18.0,
                high=80.0,
                edges=[],
                slopes=[9.0, 9.0],
                weights=packed([7, 7]),
                missing=packed([0, -16]),
            ),
        },
    )
    assert LinearScorer(data).scores({"wish": None, "trip": None, "age": None}) == [3.0, -1.0]


@pytest.mark.parametrize(("number", "deviation"), [(1e300, 1e6), (-1.7e308, -1e6)])
def test_the_slope_ends_a_million_deviations_from_the_mean(number: float, deviation: float) -> None:
    """Farther out it would mean nothing, and could overflow."""
    age = msgspec.structs.replace(rooms().parts["age"], scale=1e-300)
    scorer = LinearScorer(LinearData(bias=[0.0, 0.0], shift=4, parts={"age": age}))
    row = [5 / 16, 6 / 16] if number > 0 else [1 / 16, 2 / 16]
    expected = [row[0] + deviation / 8, row[1] - deviation / 8]
    assert scorer.scores({"age": number}) == pytest.approx(expected, rel=1e-12)


def days_part(low: float, high: float, weights: Iterable[int]) -> NumberPart:
    """Return the days of a date, with one edge in the middle and no slope."""
    return NumberPart(
        mean=low,
        scale=1.0,
        low=low,
        high=high,
        edges=[(low + high) / 2],
        slopes=[0.0],
        weights=packed(weights),
    )


def sales() -> Student:
    """Return a student of a day in 2024 and of a moment on its first day."""
    day = DatePart(
        {"days": days_part(19723, 20088, [0, 8]), "weekday": WordPart(["7"], packed([16]))}
    )
    moment = DatePart(
        {"days": days_part(19723, 19723.75, [0, 0]), "hour": WordPart(["08"], packed([4]))}
    )
    parts = {"day": day, "opened": moment}
    return Student(StudentData(labels=[], bias=[0.0], shift=4, parts=dict(parts)))


@pytest.mark.parametrize(
    ("day", "opened", "score"),
    [
        ("2024-01-01", "2024-01-01T09:30:00", 0.0),
        ("2024-01-07", "2024-01-01T09:30:00", 1.0),
        ("2024-12-30", "2024-01-01T09:30:00", 0.5),
        ("2024-12-29", "2024-01-01T08:59:00", 1.75),
        (None, "2024-01-01T08:59:00", 0.25),
    ],
)
def test_the_parts_of_a_date_are_scored(day: str | None, opened: str, score: float) -> None:
    """Sunday, the second half of 2024 and the hour from eight to nine have weights."""
    assert sales().number({"day": day, "opened": opened}) == score


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        # The piece that both words have counts for the first of them.
        ("sea seat", {"sea": 0.5 - 0.25, None: 0.0}),
        ("seat sea", {"seat": 0.5 - 0.25, None: 0.0}),
        ("a view", {"view": 1.0, None: 0.0}),
        ("a", {None: 0.0}),
        (None, {None: 0.0}),
    ],
)
def test_a_word_has_the_weights_of_its_pieces(
    text: str | None, amounts: dict[str | None, float]
) -> None:
    """A word without any weight is not mentioned."""
    _, found = LinearScorer(rooms()).contributions({"wish": text, "trip": "?", "age": None})
    assert {one.word: one.amounts[0] for one in found if one.name == "wish"} == amounts


def long_text(characters: int) -> str:
    """Return a text of this length with as many different pieces of words as chance gives."""
    rng = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words: list[str] = []
    while sum(map(len, words)) + len(words) < characters:
        words.append("".join(rng.choices(letters, k=rng.randint(1, 9))))
    return " ".join(words)[:characters]


def float_scores(rows: Sequence[Sequence[int]], bias: Sequence[float], shift: int) -> list[float]:
    """Return the scores as plain sums of floats."""
    sums = [math.fsum(row[lane] * 2.0**-shift for row in rows) for lane in range(len(bias))]
    return [start + added for start, added in zip(bias, sums, strict=True)]


@pytest.mark.parametrize("chosen", ["extremes", "chance"])
def test_the_weights_of_a_long_text_do_not_run_into_each_other(chosen: str) -> None:
    """5,000 characters have over 8,000 features, and each weight may be as large as possible."""
    text = long_text(5000)
    names = sorted(text_features(text))
    assert len(names) > 8_000
    rng = random.Random(2)
    rows = [
        [LARGEST, -LARGEST, LARGEST, -LARGEST - 1]
        if chosen == "extremes"
        else [rng.randint(-LARGEST, LARGEST) for _ in range(4)]
        for _ in names
    ]
    bias = [0.5, 0.0, -0.5, 1.0]
    part = TextPart(names, packed(weight for row in rows for weight in row))
    scorer = LinearScorer(LinearData(bias=bias, shift=40, parts={"text": part}))
    expected = float_scores(rows, bias, 40)
    assert scorer.scores({"text": text}) == pytest.approx(expected, rel=1e-12, abs=0)


@given(st.lists(st.integers(-LARGEST - 1, LARGEST), min_size=3, max_size=300), st.integers(0, 40))
def test_any_weights_sum_as_floats_do(weights: list[int], shift: int) -> None:
    """A negative weight must not borrow from the class next to it."""
    rows = [weights[at : at + 3] for at in range(0, len(weights) - 2, 3)]
    names = [f"word{at}" for at in range(len(rows))]
    part = TextPart(names, packed(weight for row in rows for weight in row))
    scorer = LinearScorer(LinearData(bias=[0.0] * 3, shift=shift, parts={"text": part}))
    expected = float_scores(rows, [0.0] * 3, shift)
    assert scorer.scores({"text": " ".join(names)}) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(("shift", "scores"), [(8, [1 / 256, 1.0]), (0, [1, 256]), (-2, [4, 1024])])
def test_weights_are_little_endian_integers_of_32_bits(shift: int, scores: list[float]) -> None:
    """A student is written on one machine and read on another; the shift scales all weights."""
    assert array("i").itemsize == 4
    part = WordPart(["yes"], b"\x01\x00\x00\x00\x00\x01\x00\x00")
    data = LinearData(bias=[0.0, 0.0], shift=shift, parts={"word": part})
    assert LinearScorer(data).scores({"word": "yes"}) == scores
