"""Tests that the work for a long value is bounded before it begins.

Without these bounds, each case took minutes to hours instead of milliseconds.
"""

from __future__ import annotations

import pytest

from db.errors import InputError
from db.files.column_type import ColumnProfile
from db.files.draft.dataset_toml import slug
from db.spec.field import BooleanField, ChoiceField, Field, IntegerField, NumberField, TextField
from db.spec.normalization import normal_text
from db.spec.validation import read_value

MANY = 1_000_000
FIELDS: list[Field] = [
    TextField(),
    TextField(max_length=10 * MANY),
    ChoiceField(choices=("red", "blue")),
    NumberField(),
    IntegerField(),
    BooleanField(),
]
HOSTILE = {
    "digits and a letter": "1" * MANY + "x",
    "digits, a point, digits and a letter": f"{'1' * MANY}.{'1' * MANY}x",
    "an exponent of many digits": f"1e{'9' * MANY}x",
    "spaces and a letter": f"1{' ' * MANY}x",
    "combining marks": "e" + "\u0301\u0323" * MANY,
    "marks that decompose into marks": "e" + "\u0f73" * MANY,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
def test_a_value_of_hostile_length_is_refused(field: Field, raw: str) -> None:
    """Only a text field with a large limit may accept a long value."""
    if isinstance(field, TextField) and field.max_length > MANY and raw.isascii():
        assert read_value("size", field, raw)
        return
    with pytest.raises(InputError) as caught:
        read_value("size", field, raw)
    assert len(str(caught.value)) < 200


def test_real_text_with_marks_and_white_space_is_still_read() -> None:
    """The limits allow letters with a few marks, decomposed letters and surrounding blanks."""
    field = TextField(max_length=5)
    assert read_value("name", field, "e\u0302\u0301" * 5) == "ế" * 5
    assert read_value("name", field, f"{' ' * 900}abc") == "abc"
    marks = "x" + "\u0323" * 100
    assert normal_text(marks * 3) == marks * 3
    with pytest.raises(ValueError, match="more than 100 combining marks in a row"):
        normal_text("y" * 50 + "x" + "\u0323" * 101)


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_cell_of_hostile_length_is_not_a_number(raw: str) -> None:
    """A cell may have a million characters when the types of columns are inferred."""
    column = ColumnProfile("size")
    column.add(raw)
    assert column.filled == 1
    assert not column.is_number


def test_a_header_of_hostile_length_becomes_a_short_name() -> None:
    """Names of fields are short."""
    assert slug("e" + "\u0301\u0323" * MANY) == "e"
