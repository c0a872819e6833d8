"""Tests that many inputs have the answers that each of them has alone, to the last bit."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from db.scoring.response_body import student_answer, student_answers
from db.scoring.student import Student
from db.spec.field import Inputs

from .random_students import numbers_of_labels, random_inputs, random_kinds, random_student


@given(st.integers(0, 2**32), numbers_of_labels, random_kinds, st.lists(random_inputs, max_size=5))
def test_many_inputs_have_the_answers_of_each_alone(
    seed: int, labels: int, kinds: set[str], rows: list[Inputs]
) -> None:
    """Whatever the student is made of, with the same warnings and the same digits."""
    student = Student(random_student(seed, labels, kinds))
    assert student.outputs_of_rows(rows) == [student.outputs(row) for row in rows]
    together = student_answers("stays", "stays@1", student, rows, ["queued"] * len(rows))
    alone = [student_answer("stays", "stays@1", student, row, "queued") for row in rows]
    assert msgspec.json.encode(together) == msgspec.json.encode(alone)
