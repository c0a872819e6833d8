"""Tests of the check whether a student fits the fields of its dataset."""

from __future__ import annotations

import hashlib
import zlib

import pytest

from db.errors import ArtifactError
from db.scoring.student import Student
from db.scoring.student_data import decode_student, encode_student
from db.spec.field import Inputs
from tests.hand_made_student import rents


def test_a_student_that_fits_its_fields_is_accepted() -> None:
    """Fields that it does not read are no fault."""
    Student(rents()).check({"area": 40, "town": "Lyon", "sentence": "bonjour"})


@pytest.mark.parametrize(
    "example", [{"town": "Lyon"}, {"area": "large", "town": "Lyon"}], ids=["name", "kind"]
)
def test_a_student_of_other_fields_is_refused_when_it_is_opened(example: Inputs) -> None:
    """Otherwise each request of its dataset would end in an error of the server."""
    with pytest.raises(ArtifactError, match="does not fit its dataset's fields"):
        Student(rents()).check(example)


def test_a_damaged_student_is_refused_in_words_that_a_terminal_shows() -> None:
    """The reason quotes a part of the data, which may have control characters."""
    data = zlib.compress(
        zlib.decompress(encode_student(rents())[0]).replace(b"number", b"\x1bumber")
    )
    with pytest.raises(ArtifactError, match="the student cannot be read: ") as refused:
        decode_student(data, hashlib.sha256(data).hexdigest())
    assert str(refused.value).isprintable()
