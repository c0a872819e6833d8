"""Tests that students of format 1 answer as the code that stored them did."""

from __future__ import annotations

import base64

import msgspec
import pytest

from db.scoring.student import Student
from db.scoring.student_data import decode_student, encode_student
from db.spec.field import Inputs
from tests.unit.db.scoring.student_reference import scores_of

# The bytes were stored, and the answers given, by the last code that wrote format 1.
ROOMS_SHA = "77e3ec5ba1238b033d782b13f48a7ae346c007ed84cd2846353cd5c6bb255c1d"
ROOMS = (
    "eNplUStMA0EQbaEUSCoqwFcgQGDAEnqCQPAVOLKl0+uF27vL7ZbyMSRUgIQKDKLJ7V0FBEcwBCrqzpTU4ACDQtQBCa"
    "TM9rZFsMnLm5nszLyZOQ6KtksJjwcmyYPJal7e0H1GiWkKy7ZA5A3CamH2JdZ/4UNbGdlmZPisZBR50neIy1lVVAxW"
    "OhJ8zwHBYZf7FqHAzuv+FjEpeBRcb4lCY6cMGWm/3dwG7bv2/eNhowKGXuKslZuM6sZ+er3eKvI78hjyM7KGHEekEO"
    "OID4wVkC+QR5HnVW4H/U/EBtpphOCu4ShZFdstRLJqda9YtmRge9h+RqZnEF+YnlblZPsn9KeVL0wc+V+5U5FzyzCs"
    "lErgz2/MkoI9osNJPyGwyjQPrqBArFBbGSwR9wOhNhe5nmlXQm1BNSthvVDLqZ9Q0IGdhdqyuoO2HhkBM20H5Kmag1"
    "N1FvsvzFb3X9eupw7+hpSSRhByZwk1YFINPaH22qAGY4alt+SyY12MzCJfcuLqwDf78tU6YlcqGE2R7SpFOAUw3vwF"
    "2t3edQ=="
)
ROOMS_ANSWERS: list[tuple[Inputs, list[float], list[str]]] = [
    (
        {"wish": "Une vue mer, très CALME !", "trip": "fun", "lift": True, "age": 29.5},
        [0.9237560863607128, 0.019733605808581845, 0.05651030783070524],
        [],
    ),
    (
        {"wish": "la mer la mer", "trip": "work", "lift": False, "age": 50},
        [0.14220463084918922, 0.6600179836380206, 0.19777738551279017],
        [],
    ),
    (
        {"wish": None, "trip": None, "lift": None, "age": None},
        [0.40303572388122144, 0.21238490176759983, 0.38457937435117867],
        [],
    ),
    (
        {"wish": "", "trip": "sport", "lift": True, "age": 1e300},
        [1.0, 0.0, 0.0],
        [
            "age: 1e+300 is above 80, the largest seen in training",
            "trip: 'sport' was not seen in training",
        ],
    ),
    (
        {"wish": "море 海", "trip": "fun", "lift": False, "age": -1e12},
        [0.0, 1.0, 0.0],
        ["age: -1000000000000.0 is below 18, the smallest seen in training"],
    ),
]
SALES_SHA = "543f24f4c273e7c3d9e673808f6a846bcb8c6f0e79203329e8dbe0df73a734b6"
SALES = (
    "eNp1UrtOAkEUHRUSX42J9hI/QESjdhC/wdhYmAEuuxv3QXaGEFpMjHaolRYKy+4Soz9AhQUdJZV/YGFhZaEF3p198P"
    "RWc+eeO+fcc+fKLRimRvmcq9IsqKxmZxXKbnrp9r0XDw6TlQKPO0VqclZ1jSLokK/avFIEO085+IVLPFfYtbh29ZKW"
    "BdPWgOq9TP9kk2A4LEdV6GVOa15GmqpRxtrRm5fYsiLJmD0mBRLyEqCATN8QUJepSOopevcVtcqAeM66iwtY/h0MBi"
    "1NYUzRpW5sxXuuAtScJeWpTkakpL/IiJSgFkgJkUJKLVJAgogUxEQWspMmmjCLeLsgIvQg4c8hiEMVAXGazCTuPE+M"
    "HpsfI3Y0Q+fyhb+VsmHmHZ1qwO7qVjJl7aSittU4tn2iYwl/CjhHxVNtt439xsHQ5TXEbgiJRsmcBlvJQyu1O4T/4P"
    "NL3gxFU8nBLDu2yNge2v/bsTdqB36JdTL+JTofEwtZXMbse/RLkBdOTQn4mc9tZETDa3AZbOQ4eBclAOPRnv8AY9c5"
    "kg=="
)
SALES_ANSWERS: list[tuple[Inputs, float, list[str]]] = [
    ({"opened": "2024-02-29T08:30:00", "price": 9}, 469.1877276162994, []),
    ({"opened": "2024-12-28T23:59:59", "price": 4.999}, 3200.8751024989124, []),
    ({"opened": None, "price": None}, 298.0, []),
    (
        {"opened": "1901-01-06T00:00:00", "price": 12},
        0.0,
        ["opened: 1901-01-06T00:00:00 is below 2024-01-01, the smallest seen in training"],
    ),
    (
        {"opened": "2024-07-14T23:00:00", "price": -1e9},
        60000385.65519138,
        ["price: -1000000000.0 is below 1, the smallest seen in training"],
    ),
]


@pytest.mark.parametrize(("inputs", "probabilities", "warnings"), ROOMS_ANSWERS)
def test_a_classification_of_format_1_answers_as_before(
    inputs: Inputs, probabilities: list[float], warnings: list[str]
) -> None:
    """A text, a choice, a boolean and a number with bins; to the last digit."""
    data = decode_student(base64.b64decode(ROOMS), ROOMS_SHA)
    student = Student(data)
    assert data.format == 1
    assert student.probabilities(inputs) == probabilities
    assert student.warnings(inputs) == warnings
    why = student.explain(inputs)
    assert why.base + sum(one.amount for one in why.reasons) + why.rest == pytest.approx(why.total)
    first, second = sorted(scores_of(data, inputs), reverse=True)[:2]
    assert why.total == pytest.approx(first - second)


@pytest.mark.parametrize(("inputs", "number", "warnings"), SALES_ANSWERS)
def test_a_regression_of_format_1_answers_as_before(
    inputs: Inputs, number: float, warnings: list[str]
) -> None:
    """A date with a time of day, whose days have bins; it has no interval and is no teacher."""
    student = Student(decode_student(base64.b64decode(SALES), SALES_SHA))
    assert student.number(inputs) == number
    assert student.warnings(inputs) == warnings
    assert (student.is_teacher, student.interval, student.teacher_interval) == (False, None, None)
    why = student.explain(inputs)
    assert {one.field for one in why.reasons} == {"opened", "price"}
    assert why.base + sum(one.amount for one in why.reasons) == pytest.approx(why.total)
    assert max(why.total, 0.0) == pytest.approx(number)


@pytest.mark.parametrize(("stored", "sha256"), [(ROOMS, ROOMS_SHA), (SALES, SALES_SHA)])
def test_a_student_of_format_1_can_be_stored_again(stored: str, sha256: str) -> None:
    """Its new bytes hold the same data."""
    data = decode_student(base64.b64decode(stored), sha256)
    assert decode_student(*encode_student(data)) == data
    newer = msgspec.structs.replace(data, format=2)
    assert decode_student(*encode_student(newer)) == newer
