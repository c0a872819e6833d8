"""Tests of what trees read: labelled records alone decide what is known and what was seen."""

from __future__ import annotations

import random

import numpy as np
import pytest

from db.spec.field import ChoiceField, NumberField
from enrich.learning.portable import tree_export
from enrich.learning.portable.boosting import MOST_CODES
from tests.unit.enrich.learning.frames import spec_of

from .exported import Case, answers_of, case_of

CITIES = [f"town {at}" for at in range(10)]


def flats(unlabelled: int) -> Case:
    """Return flats whose rent depends on the city, and unlabelled ones of 254 other cities."""
    chance, rows = random.Random(1), []
    for at in range(290):
        city = CITIES[at % 10]
        rent = 100 * (at % 10 in {2, 3, 7}) + chance.random()
        rows.append({"city": city, "area": at, "y": rent})
    others = [
        {"city": f"city {at % MOST_CODES}", "area": 1000 + at % 50} for at in range(unlabelled)
    ]
    return case_of(spec_of("regression", city=ChoiceField(), area=NumberField()), rows, others)


def test_values_of_unlabelled_records_do_not_crowd_out_those_of_labelled_ones() -> None:
    """There are as many cities as trees can tell apart, each with more records."""
    case = flats(10_160)
    ensemble = case.fit_trees()
    rents = answers_of(case.student(ensemble), [{"city": city, "area": 50} for city in CITIES])
    assert rents[:, 0] == pytest.approx([100 * (at in {2, 3, 7}) for at in range(10)], abs=15)


def test_what_only_unlabelled_records_have_was_not_seen_in_training() -> None:
    """Neither their choices nor their numbers."""
    case = flats(600)
    student = case.student(case.fit_trees())
    assert not any(student.warnings(inputs) for inputs in case.inputs[:290])
    assert student.warnings({"city": "city 7", "area": 1000}) == [
        "area: 1000 is above 289, the largest seen in training",
        "city: 'city 7' was not seen in training",
    ]


def test_unlabelled_records_do_not_change_the_trees() -> None:
    """Their student is the same to the last bit."""
    case, alone = flats(600), flats(0)
    students = [one.student(one.fit_trees()) for one in (case, alone)]
    found, expected = (answers_of(one, case.inputs) for one in students)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("most", [45, 46])
def test_a_choice_with_too_many_values_to_list_has_no_warnings(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """The web process would have to hold them all; other fields still warn."""
    monkeypatch.setattr(tree_export, "MOST_RARE", most)
    rows = [
        {"city": f"city {at}", "area": at % 60, "y": at % 60 + at % 7}
        for at in range(MOST_CODES + 46)
    ]
    case = case_of(spec_of("regression", city=ChoiceField(), area=NumberField()), rows)
    student = case.student(case.fit_trees())
    of_area = "area: 99 is above 59, the largest seen in training"
    of_city = "city: 'nowhere' was not seen in training"
    warned = student.warnings({"city": "nowhere", "area": 99})
    assert warned == ([of_area, of_city] if most == 46 else [of_area])
    assert not any(student.warnings(inputs) for inputs in case.inputs)
