"""Tests of the student: its storage as plain data, and its scores."""

from __future__ import annotations

import hashlib
import math
import random
import zlib
from array import array
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import ArtifactError
from db.scoring.features import text_features
from db.scoring.student import (
    DatePart,
    NumberPart,
    Student,
    StudentData,
    TextPart,
    WordPart,
    decode_student,
    encode_student,
    softmax,
)
from db.spec.field import Inputs

LARGEST = 2**31 - 1


def packed(weights: Iterable[int]) -> bytes:
    """Return weights in the byte format of a student."""
    return b"".join(weight.to_bytes(4, "little", signed=True) for weight in weights)


def rooms() -> StudentData:
    """Return a student of two labels with one part of each kind."""
    return StudentData(
        labels=["big", "small"],
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


def prices() -> StudentData:
    """Return a student that predicts a number."""
    age = NumberPart(
        mean=40.0,
        scale=10.0,
        low=18.0,
        high=80.0,
        edges=[50.0],
        slopes=[0.5],
        weights=packed([-8, 8]),
    )
    return StudentData(
        labels=[], bias=[0.25], shift=4, parts={"age": age}, target_mean=100.0, target_scale=20.0
    )


def test_a_student_is_decoded_as_it_was_encoded() -> None:
    """Its SHA-256 is that of its bytes."""
    data, sha256 = encode_student(rooms())
    assert hashlib.sha256(data).hexdigest() == sha256
    assert decode_student(data, sha256) == rooms()
    assert encode_student(rooms()) == (data, sha256)


@pytest.mark.parametrize("at", [0, 10, -1])
def test_damaged_bytes_are_refused(at: int) -> None:
    """One changed bit is enough."""
    data, sha256 = encode_student(rooms())
    damaged = bytearray(data)
    damaged[at] ^= 1
    with pytest.raises(ArtifactError, match="do not match their SHA-256"):
        decode_student(bytes(damaged), sha256)


@pytest.mark.parametrize(
    "data", [b"", b"no student", zlib.compress(b"no student"), zlib.compress(b"\x80")]
)
def test_bytes_that_are_not_a_student_are_refused(data: bytes) -> None:
    """Their SHA-256 is right; only the format is wrong."""
    with pytest.raises(ArtifactError, match="cannot be read"):
        decode_student(data, hashlib.sha256(data).hexdigest())


def test_a_student_of_another_format_is_refused() -> None:
    """Its weights may have another meaning."""
    data, sha256 = encode_student(msgspec.structs.replace(rooms(), format=2))
    with pytest.raises(ArtifactError, match="has format 2, but this code reads format 1"):
        decode_student(data, sha256)


@pytest.mark.parametrize(
    ("inputs", "big", "small"),
    [
        # Only the number is known: bias, slope × deviation and a bin.
        ({"wish": "?", "trip": "none", "age": 40}, 0.5 + 3 / 16, -0.25 + 4 / 16),
        ({"wish": "View", "trip": "none", "age": 40}, 1.5 + 3 / 16, -1.25 + 4 / 16),
        ({"wish": "sea", "trip": "fun", "age": 40}, 1.75 + 3 / 16, 4 / 16),
        ({"wish": "?", "trip": "work", "age": 20}, 0.25 + 1 / 16, 2.0 + 2 / 16),
        ({"wish": "?", "trip": "none", "age": 50}, 0.625 + 5 / 16, -0.375 + 6 / 16),
        ({"wish": "?", "trip": "none", "age": 29.5}, 0.36875 + 1 / 16, -0.11875 + 2 / 16),
    ],
)
def test_two_labels_are_scored_by_bias_weights_and_slopes(
    inputs: Inputs, big: float, small: float
) -> None:
    """Features that training never saw have no weight."""
    assert Student(rooms()).probabilities(inputs) == pytest.approx(softmax([big, small]))


@pytest.mark.parametrize(("age", "score"), [(40, -0.25), (60, 1.75), (50, 1.25), (0, -2.25)])
def test_a_number_is_predicted_in_its_own_unit(age: float, score: float) -> None:
    """The score counts standard deviations of the target."""
    assert Student(prices()).number({"age": age}) == pytest.approx(100 + 20 * score)


@pytest.mark.parametrize(
    ("age", "warnings"),
    [
        (18, []),
        (80, []),
        (12, ["age: 12 is below 18, the smallest seen in training"]),
        (80.5, ["age: 80.5 is above 80, the largest seen in training"]),
    ],
)
def test_a_number_outside_the_training_data_causes_a_warning(
    age: float, warnings: list[str]
) -> None:
    """The student answers nevertheless."""
    student = Student(rooms())
    inputs: Inputs = {"wish": "?", "trip": "fun", "age": age}
    assert student.warnings(inputs) == warnings
    assert sum(student.probabilities(inputs)) == pytest.approx(1)


def test_a_choice_that_training_had_not_causes_a_warning_and_adds_nothing() -> None:
    """Texts, booleans and missing values cause none."""
    lift = WordPart(["True"], packed([4, 0]))
    data = msgspec.structs.replace(rooms(), parts={**rooms().parts, "lift": lift})
    student = Student(data)
    inputs: Inputs = {"wish": "unheard", "trip": "sport", "age": 40, "lift": False}
    assert student.warnings(inputs) == ["trip: 'sport' was not seen in training"]
    unknown = student.probabilities({**inputs, "trip": None})
    assert student.probabilities(inputs) == unknown
    assert student.warnings({**inputs, "trip": None, "lift": None}) == []


def test_a_missing_value_has_a_weight_of_its_own() -> None:
    """Each kind has one, and the number neither slope nor bin."""
    data = StudentData(
        labels=["big", "small"],
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
    student = Student(data)
    inputs: Inputs = {"wish": None, "trip": None, "age": None}
    assert student.probabilities(inputs) == pytest.approx(softmax([1.0 + 2.0, -1.0]))
    assert student.warnings(inputs) == []


def test_a_student_from_before_values_could_be_missing_adds_nothing_for_one() -> None:
    """Its number has no row for a missing one, and its parts no empty name."""
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(rooms()))
    del stored["parts"]["age"]["missing"], stored["lowest"]
    data = zlib.compress(msgspec.msgpack.encode(stored))
    student = Student(decode_student(data, hashlib.sha256(data).hexdigest()))
    nothing: Inputs = {"wish": None, "trip": None, "age": None}
    assert student.probabilities(nothing) == pytest.approx(softmax([0.5, -0.25]))
    assert student.warnings(nothing) == []
    known: Inputs = {"wish": "sea", "trip": "fun", "age": 40}
    assert student.probabilities(known) == Student(rooms()).probabilities(known)


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


def test_a_date_outside_the_training_data_causes_a_warning_that_shows_dates() -> None:
    """A day or a weekday on its own causes none."""
    usual = "2024-01-01T08:00:00"
    assert sales().warnings({"day": "2024-06-01", "opened": usual}) == []
    assert sales().warnings({"day": None, "opened": None}) == []
    assert sales().warnings({"day": "2025-01-01", "opened": usual}) == [
        "day: 2025-01-01 is above 2024-12-31, the largest seen in training"
    ]
    assert sales().warnings({"day": "2023-12-31", "opened": "2024-01-01T18:01:00"}) == [
        "day: 2023-12-31 is below 2024-01-01, the smallest seen in training",
        "opened: 2024-01-01T18:01:00 is above 2024-01-01T18:00, the largest seen in training",
    ]


def test_no_answer_is_below_the_lowest() -> None:
    """A straight line would go below zero."""
    data = msgspec.structs.replace(prices(), lowest=0.0)
    assert Student(data).number({"age": 60}) == Student(prices()).number({"age": 60})
    assert Student(prices()).number({"age": -1000}) < 0
    assert Student(data).number({"age": -1000}) == 0.0


def test_limits_in_warnings_are_plain_decimal_numbers() -> None:
    """They have no exponent and no superfluous digits."""
    age = msgspec.structs.replace(prices().parts["age"], low=0.1, high=1_000_000.0)
    student = Student(msgspec.structs.replace(prices(), parts={"age": age}))
    assert student.warnings({"age": 0}) == ["age: 0 is below 0.1, the smallest seen in training"]
    assert " above 1000000, " in student.warnings({"age": 2_000_000})[0]


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
    data = StudentData(labels=list("abcd"), bias=bias, shift=40, parts={"text": part})
    expected = softmax(float_scores(rows, bias, 40))
    assert Student(data).probabilities({"text": text}) == pytest.approx(expected, rel=1e-9, abs=0)


@given(st.lists(st.integers(-LARGEST - 1, LARGEST), min_size=3, max_size=300), st.integers(0, 40))
def test_any_weights_sum_as_floats_do(weights: list[int], shift: int) -> None:
    """A negative weight must not borrow from the class next to it."""
    rows = [weights[at : at + 3] for at in range(0, len(weights) - 2, 3)]
    names = [f"word{at}" for at in range(len(rows))]
    part = TextPart(names, packed(weight for row in rows for weight in row))
    data = StudentData(labels=list("abc"), bias=[0.0] * 3, shift=shift, parts={"text": part})
    probabilities = Student(data).probabilities({"text": " ".join(names)})
    assert probabilities == pytest.approx(softmax(float_scores(rows, [0.0] * 3, shift)), rel=1e-6)


def test_weights_are_little_endian_integers_of_32_bits() -> None:
    """A student is written on one machine and read on another."""
    assert array("i").itemsize == 4
    part = WordPart(["yes"], b"\x01\x00\x00\x00\x00\x01\x00\x00")
    data = StudentData(labels=["a", "b"], bias=[0.0, 0.0], shift=8, parts={"word": part})
    expected = softmax([1 / 256, 1.0])
    assert Student(data).probabilities({"word": "yes"}) == pytest.approx(expected)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_probabilities_sum_to_one_however_large_the_scores(scores: list[float]) -> None:
    """The highest score gets the highest probability."""
    probabilities = softmax(scores)
    assert sum(probabilities) == pytest.approx(1)
    assert probabilities[scores.index(max(scores))] == max(probabilities)
