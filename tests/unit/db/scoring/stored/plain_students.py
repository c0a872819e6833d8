"""Students as plain lists and dictionaries, which tests change before they are read back."""

from __future__ import annotations

import hashlib
import math
import zlib
from typing import Any

import msgspec
import pytest

from db.scoring.student import Student
from db.scoring.student_data import StudentData
from db.spec.field import Inputs
from tests.unit.db.scoring.random_students import (
    KINDS,
    random_student,
)

SEED = 5
NAN, INFINITY = math.nan, math.inf
INPUTS: list[Inputs] = [
    {
        "wish": "La mer est calme, la mer !",
        "note": "Море спокойно",
        "trip": "fun",
        "lift": True,
        "age": 1e300,
        "size": -5,
        "day": "9999-12-31",
        "seen": "0001-01-01T00:00:00",
    },
    dict.fromkeys(("wish", "note", "trip", "lift", "age", "size", "day", "seen")),
    {
        "wish": "",
        "note": "?",
        "trip": "sport",
        "lift": False,
        "age": 12.5,
        "size": -1.7e308,
        "day": "2024-02-29",
        "seen": "2024-07-14T23:59:59",
    },
]


def store(tree: object) -> tuple[bytes, str]:
    """Return a student made of plain lists and dictionaries as stored bytes."""
    data = zlib.compress(msgspec.msgpack.encode(tree))
    return data, hashlib.sha256(data).hexdigest()


def plain(data: StudentData) -> Any:  # noqa: ANN401
    """Return a student as plain lists and dictionaries."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(data))


def every_kind(labels: int = 3) -> Any:  # noqa: ANN401
    """Return a student with all kinds of parts as plain lists and dictionaries."""
    return plain(random_student(SEED, labels, KINDS))


def assert_finite_answers(data: StudentData, inputs: Inputs) -> None:
    """Fail unless a student answers, explains and warns with finite numbers."""
    student = Student(data)
    why = student.explain(inputs)
    numbers = [why.base, why.rest, why.total, *(reason.amount for reason in why.reasons)]
    if data.labels:
        numbers += student.probabilities(inputs)
        assert sum(student.probabilities(inputs)) == pytest.approx(1)
    else:
        number = student.number(inputs)
        numbers += [number, *(student.interval.around(number) if student.interval else ())]
    assert all(map(math.isfinite, numbers))
    assert all(isinstance(warning, str) for warning in student.warnings(inputs))
