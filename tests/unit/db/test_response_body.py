"""Tests of the response body that a client gets."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.interval import Interval
from db.scoring.response_body import (
    Answer,
    decode_answer,
    encode_answer,
    interval_around,
    rank,
    round_number,
    round_probabilities,
    student_answer,
)
from db.scoring.student import Student
from db.scoring.student_data import NumberPart, StudentData

ROOMS = Student(StudentData(labels=["big", "small"], bias=[0.0, 1.0], shift=4, parts={}))
PRICE_DATA = StudentData(
    labels=[],
    bias=[0.0],
    shift=4,
    parts={
        "age": NumberPart(
            mean=0.0, scale=1.0, low=18.0, high=80.0, edges=[], slopes=[1.0], weights=bytes(4)
        )
    },
    target_scale=1 / 3,
)
PRICES = Student(PRICE_DATA)
INTERVAL = Interval(coverage=0.9, edges=[20.0], below=[-7.0, -9.0], above=[1 / 3, 6.0])
LIMITED = Student(
    msgspec.structs.replace(PRICE_DATA, interval=INTERVAL, lowest=0.0, is_teacher=True)
)


def test_a_body_has_the_documented_keys_in_their_order() -> None:
    """Both clients and people read it."""
    body = encode_answer(student_answer("rooms", "rooms@3", ROOMS, {}, "queued"))
    assert list(json.loads(body).items()) == [
        ("dataset", "rooms"),
        ("prediction", "small"),
        ("probabilities", {"small": 0.731059, "big": 0.268941}),
        ("source", "student"),
        ("model", "rooms@3"),
        ("enrichment", "queued"),
        ("warnings", []),
    ]


def test_a_regression_has_no_probabilities() -> None:
    """It has a number, and warnings for inputs outside the training data."""
    answer = student_answer("prices", "prices@1", PRICES, {"age": 100}, "off")
    body = json.loads(encode_answer(answer))
    assert body["prediction"] == 33.33333333
    assert "probabilities" not in body
    assert body["enrichment"] == "off"
    assert body["warnings"] == ["age: 100 is above 80, the largest seen in training"]


@pytest.mark.parametrize(
    "answer",
    [
        student_answer("rooms", "rooms@3", ROOMS, {}, "queued"),
        student_answer("prices", "prices@1", PRICES, {"age": 20}, "off"),
        student_answer("prices", "prices@1", LIMITED, {"age": 20}, "done"),
    ],
)
def test_a_body_is_decoded_to_the_same_answer(answer: Answer) -> None:
    """The export decodes the bodies of the store."""
    decoded = decode_answer(encode_answer(answer))
    assert encode_answer(decoded) == encode_answer(answer)
    assert decoded.prediction == answer.prediction
    assert decoded.probabilities == answer.probabilities
    assert decoded.interval == answer.interval


def test_a_number_has_its_interval_after_it() -> None:
    """Both ends are rounded as the number is."""
    body = encode_answer(student_answer("prices", "prices@1", LIMITED, {"age": 61}, "done"))
    assert list(json.loads(body))[:4] == ["dataset", "prediction", "interval", "source"]
    assert json.loads(body)["interval"] == [11.33333333, 26.33333333]


@pytest.mark.parametrize("age", [-500, 0, 1, 20])
def test_no_end_of_an_interval_is_below_the_smallest_answer(age: int) -> None:
    """Neither is the number itself."""
    answer = student_answer("prices", "prices@1", LIMITED, {"age": age}, "done")
    assert isinstance(answer.interval, tuple)
    assert 0.0 == answer.interval[0] <= float(answer.prediction) <= answer.interval[1]


def test_a_model_without_an_interval_answers_without_one() -> None:
    """Its label or number is all that it has."""
    for student in (ROOMS, PRICES):
        answer = student_answer("any", "any@1", student, {"age": 20}, "off")
        assert answer.interval is msgspec.UNSET
        assert "interval" not in json.loads(encode_answer(answer))


def test_an_interval_too_large_for_a_number_is_left_out() -> None:
    """JSON has no infinity."""
    wide = Interval(coverage=0.9, edges=[], below=[-1e308], above=[1e308])
    assert interval_around(wide, 1.5e308, 0.0) is msgspec.UNSET
    assert interval_around(wide, 1e307, 0.0) == (0.0, 1.1e308)
    assert interval_around(None, 1.0, 0.0) is msgspec.UNSET


def test_a_student_that_is_the_teacher_answers_as_the_teacher() -> None:
    """Another one answers as the student."""
    assert student_answer("prices", "prices@1", LIMITED, {"age": 20}, "done").source == "teacher"
    assert student_answer("prices", "prices@1", PRICES, {"age": 20}, "off").source == "student"


@pytest.mark.parametrize(
    "prediction", [b'"b","probabilities":{"b":0.75,"c":0.25}', b"3.5"], ids=["label", "number"]
)
def test_a_body_from_before_there_were_intervals_is_decoded(prediction: bytes) -> None:
    """Bodies in the store stay until workers have replaced them."""
    end = b',"source":"teacher","model":"a@1","enrichment":"done","warnings":[]}'
    body = b'{"dataset":"a","prediction":' + prediction + end
    answer = decode_answer(body)
    assert answer.interval is msgspec.UNSET
    assert encode_answer(answer) == body


def test_the_most_likely_label_comes_first_and_equal_ones_by_name() -> None:
    """The same input must give the same bytes."""
    ranked = rank(["d", "c", "b", "a"], [0.2, 0.3, 0.3, 0.2])
    assert list(ranked.items()) == [("b", 0.3), ("c", 0.3), ("a", 0.2), ("d", 0.2)]


def test_labels_with_the_same_rounded_probability_are_sorted_by_name() -> None:
    """Digits that are not sent must not decide the order."""
    assert list(rank(["b", "a"], [0.50000004, 0.49999996])) == ["a", "b"]


SHARES = st.floats(0, 1) | st.integers(0, 10**7).map(lambda it: it / 10**7)


@given(st.lists(SHARES | SHARES.map(lambda it: min(it + 5e-7, 1.0))))
def test_probabilities_are_rounded_to_the_last_bit_as_python_rounds(shares: list[float]) -> None:
    """Half way between two decimals as well."""
    assert round_probabilities(shares) == [round(share, 6) for share in shares]


@pytest.mark.parametrize(
    ("number", "sent"),
    [(1 / 3, 0.3333333333), (123456.7890123, 123456.789), (1e300, 1e300), (-0.1, -0.1), (42, 42)],
)
def test_a_number_is_sent_with_ten_digits(number: float, sent: float) -> None:
    """The remaining digits are noise."""
    assert round_number(number) == sent


@given(st.floats(-1e300, 1e300))
def test_rounding_a_number_twice_changes_nothing(number: float) -> None:
    """The rounded number is close to the original."""
    once = round_number(number)
    assert round_number(once) == once
    assert once == pytest.approx(number, rel=1e-9)
