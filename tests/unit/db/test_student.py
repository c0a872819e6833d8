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
    inputs: Inputs = {"wish": "?", "trip": "none", "age": age}
    assert student.warnings(inputs) == warnings
    assert sum(student.probabilities(inputs)) == pytest.approx(1)


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
