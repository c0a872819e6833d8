"""Tests of whole numbers that are longer than Python writes as text."""

from __future__ import annotations

import pytest

from db.errors import InputError
from db.spec.field import DateField, DatetimeField, Field, IntegerField, NumberField, TextField
from db.spec.validation import read_value

FIELDS = [TextField(), NumberField(), IntegerField(), DateField(), DatetimeField()]


@pytest.mark.parametrize("field", FIELDS, ids=[type(one).__name__ for one in FIELDS])
@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["large", "small"])
def test_a_number_of_5000_digits_is_refused_with_its_field(field: Field, number: int) -> None:
    """An error that nobody expects stops a whole import."""
    with pytest.raises(InputError, match="made_at"):
        read_value("made_at", field, number)


def test_a_date_may_be_a_whole_number() -> None:
    """JSON files have some so."""
    assert read_value("made_at", DateField(), 20240131) == "2024-01-31"
