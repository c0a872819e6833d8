"""Tests of the readers of fields: they read as `read_value` does, and only take less time."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import InputError
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    IntegerField,
    NumberField,
    TextField,
)
from db.spec.normalization import MAX_COMBINING_MARKS, normal_text
from db.spec.reading.field_reader import REMEMBERED_VALUES, make_reader
from db.spec.validation import read_value

FIELDS: tuple[Field, ...] = (
    TextField(),
    TextField(max_length=5, optional=True, missing=("none", "a")),
    NumberField(),
    NumberField(min=-1.5, max=30, default=2.5),
    NumberField(format="1.234,5 €", optional=True),
    NumberField(missing=("-1", "nan"), optional=True),
    IntegerField(),
    IntegerField(min=0, max=2**60),
    ChoiceField(choices=("a", "Émile"), strict=True),
    ChoiceField(choices=("a",), default="a", missing=("?",)),
    BooleanField(),
    BooleanField(optional=True),
    DateField(),
    DateField(order="DMY", optional=True),
    DatetimeField(order="epoch"),
)
_SPELLED = (
    *(
        "",
        " ",
        "a",
        " a ",
        "a  b",
        "Émile",
        "E\u0301mile",
        "none",
        "?",
        "\u2003",
        "a\x1cb",
        "\ud800",
    ),
    *(
        "0",
        "-0",
        "30",
        "30.0",
        " 30",
        "3e1",
        "1_0",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "٣",
        "\x1c1",
        "1.",
    ),
    *("-1", "-1.0", "1.234,5 €", "1.5", "9007199254740993", "1e100", "1.1e100", "\u22125", "0x1f"),
    *(
        "true",
        "FALSE",
        "1",
        "2024-01-31",
        "31.1.2024",
        "2024-01-31T08:00:00Z",
        "1706688000",
        "x" * 70,
    ),
)
_OTHERS: tuple[object, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        30,
        -0.0,
        30.0,
        30.5,
        2**53 - 1,
        2**53,
        2**53 + 1,
        -(2**60),
        10**400,
    ),
    *(float("nan"), float("inf"), 1e100, 1.1e100, [], ["a"], {}, (1,)),
)
raws = (
    st.sampled_from(_SPELLED) | st.sampled_from(_OTHERS) | st.text() | st.floats() | st.integers()
)


def outcome(read: object, raw: object) -> tuple[object, ...]:
    """Return what reading a value gives, and of which type, or what is wrong with it."""
    try:
        value = read(raw)  # type: ignore[operator]
    except InputError as error:
        return str(error), error.field, error.reason, error.example
    return value, type(value), str(value)


@given(st.sampled_from(FIELDS), st.lists(raws, min_size=1, max_size=4))
def test_a_reader_reads_and_refuses_as_ever(field: Field, values: list[object]) -> None:
    """Also what it has read before, and values that are equal but of another type."""
    read = make_reader("size", field)
    for raw in (*values, *values):
        assert outcome(read, raw) == outcome(lambda one: read_value("size", field, one), raw)


@pytest.mark.parametrize("field", FIELDS)
def test_a_reader_reads_each_usual_spelling_as_ever(field: Field) -> None:
    """One reader for all of them."""
    read = make_reader("size", field)
    for raw in (*_SPELLED, *_OTHERS):
        assert outcome(read, raw) == outcome(lambda one: read_value("size", field, one), raw)


def test_a_reader_goes_on_after_more_values_than_it_remembers() -> None:
    """Choices are open: any number of words may come."""
    read = make_reader("town", ChoiceField())
    words = [f"town  {number}" for number in range(2 * REMEMBERED_VALUES)]
    assert [read(word) for word in words] == [word.replace("  ", " ") for word in words]


def plain_normal_text(text: str) -> str:
    """Return the normal form of a text, without any shorter way."""
    space = "[ \t\n\v\f\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
    if re.search("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]", text):
        raise ValueError("control character")
    return re.sub(space, " ", unicodedata.normalize("NFC", text)).strip(" ")


_characters = st.characters() | st.sampled_from("  \u0301\u0323é\t\x85\u00a0\u2000\u1fef\u212bกำ")


@given(st.text(_characters, max_size=30))
def test_a_text_in_its_normal_form_is_recognised(text: str) -> None:
    """Any script, any marks, any white space."""
    try:
        expected = plain_normal_text(text)
    except ValueError:
        with pytest.raises(ValueError, match="control character"):
            normal_text(text)
        return
    assert normal_text(text) == expected


@pytest.mark.parametrize("before", [0, 1, 50, 99, 100, 101, 102, 201, 202, 203])
def test_a_long_run_of_marks_is_refused_wherever_it_is(before: int) -> None:
    """And one that is not too long is accepted."""
    accepted = "x" * before + "\u0301" * MAX_COMBINING_MARKS + "x" * before
    assert normal_text(accepted)
    with pytest.raises(ValueError, match="combining marks in a row"):
        normal_text("x" * before + "\u0301" * (MAX_COMBINING_MARKS + 1) + "x" * before)
