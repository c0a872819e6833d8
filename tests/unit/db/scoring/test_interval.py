"""Tests of the interval around a predicted number."""

from __future__ import annotations

import math

import msgspec
import pytest

from db.scoring.interval import Interval
from db.scoring.response_body import interval_around, student_answer
from db.scoring.student import Student
from db.scoring.student_data import StudentData

GROUPS = Interval(coverage=0.9, edges=[10.0, 20.0], below=[-1.0, -2.0, -4.0], above=[1.5, 2.5, 8.0])


@pytest.mark.parametrize(
    ("number", "ends"),
    [
        (-50.0, (-51.0, -48.5)),
        (9.75, (8.75, 11.25)),
        (10.0, (8.0, 12.5)),
        (19.5, (17.5, 22.0)),
        (20.0, (16.0, 28.0)),
        (1000.0, (996.0, 1008.0)),
    ],
)
def test_the_offsets_are_those_of_the_group_that_the_number_falls_in(
    number: float, ends: tuple[float, float]
) -> None:
    """A number on an edge belongs to the upper group."""
    assert GROUPS.around(number) == ends


def test_one_group_needs_no_edges() -> None:
    """The same offsets hold for every number."""
    interval = Interval(coverage=0.9, edges=[], below=[-3.0], above=[4.0])
    assert [interval.around(number) for number in (-7.0, 7.0)] == [(-10.0, -3.0), (4.0, 11.0)]


def test_no_end_is_below_the_lowest_answer() -> None:
    """Neither of both: a price is never negative."""
    assert GROUPS.around(0.5, lowest=0.0) == (0.0, 2.0)
    assert GROUPS.around(-9.0, lowest=0.0) == (0.0, 0.0)


def test_an_answer_has_rounded_ends_if_the_student_has_an_interval() -> None:
    """Ten digits; a student from before there were intervals has none."""
    third = Interval(coverage=0.9, edges=[], below=[-1 / 3], above=[2 / 3])
    data = StudentData(labels=[], bias=[1.0], shift=0, parts={}, interval=third, lowest=0.9)
    answer = student_answer("rents", "rents@1", Student(data), {}, "off")
    assert answer.prediction == 1.0
    assert answer.interval == (0.9, 1.666666667)
    older = Student(msgspec.structs.replace(data, interval=None))
    assert student_answer("rents", "rents@1", older, {}, "off").interval is msgspec.UNSET


def test_an_end_that_is_too_large_for_a_number_leaves_no_interval() -> None:
    """JSON has no infinity."""
    wide = Interval(coverage=0.9, edges=[], below=[-1e308], above=[1e308])
    assert interval_around(wide, 1.0, -math.inf) == (-1e308, 1e308)
    assert interval_around(wide, 1e308, -math.inf) is msgspec.UNSET
    assert interval_around(wide, -1e308, -math.inf) is msgspec.UNSET
    assert interval_around(None, 1.0, -math.inf) is msgspec.UNSET
