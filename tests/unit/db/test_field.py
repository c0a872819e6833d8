"""Tests of fields: the normal form of each value, and errors with the field and an example."""

from __future__ import annotations

import math
import pickle
import unicodedata
from decimal import Decimal

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
    example_of,
)
from db.spec.normalization import normal_number, normal_text
from db.spec.validation import read_value

BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2003\u2028\u202f\u3000"
texts = st.text(
    st.one_of(st.sampled_from(BLANKS), st.characters(exclude_categories=["Cc", "Cs"])), max_size=40
)
numbers = st.floats(-1e100, 1e100)


def input_error(field: Field, raw: object) -> InputError:
    """Return the error about a value that the field refuses."""
    with pytest.raises(InputError) as caught:
        read_value("size", field, raw)
    assert caught.value.field == "size"
    assert str(caught.value) == f"size: {caught.value.reason}"
    return caught.value


@given(texts)
def test_normalizing_a_text_twice_changes_nothing(text: str) -> None:
    """Otherwise its key would depend on how often it was normalized."""
    once = normal_text(text)
    assert normal_text(once) == once


@given(texts)
def test_normal_text_is_the_same_for_composed_and_decomposed_letters(text: str) -> None:
    """A Mac writes é as two characters, other systems as one."""
    composed = normal_text(unicodedata.normalize("NFC", text))
    assert normal_text(unicodedata.normalize("NFD", text)) == composed
    assert unicodedata.is_normalized("NFC", composed)


@given(st.lists(st.from_regex(r"[a-zé]{1,5}", fullmatch=True), min_size=1), st.data())
def test_white_space_of_any_kind_and_length_is_one_space(
    words: list[str], data: st.DataObject
) -> None:
    """People paste tabs, line ends and no-break spaces."""
    blanks = st.text(st.sampled_from(BLANKS), min_size=1, max_size=4)
    text = data.draw(blanks) + "".join(word + data.draw(blanks) for word in words)
    assert normal_text(text) == " ".join(words)


def test_case_and_punctuation_of_a_text_are_kept() -> None:
    """They may distinguish one intent from another."""
    assert normal_text(" Où est l'Hôtel ?! ") == "Où est l'Hôtel ?!"


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\x00", "U+0000"),
        ("\x07", "U+0007"),
        ("\x1b", "U+001B"),
        ("\x1f", "U+001F"),
        ("\x7f", "U+007F"),
        ("\x9f", "U+009F"),
        ("\ud800", "U+D800"),
        ("\udfff", "U+DFFF"),
    ],
)
@pytest.mark.parametrize("field", [TextField(), ChoiceField(choices=("small",))])
def test_text_with_a_control_character_is_refused(field: Field, character: str, name: str) -> None:
    """PostgreSQL and log lines cannot hold these characters."""
    assert name in input_error(field, f"sm{character}all").reason


@pytest.mark.parametrize("raw", ["", "   ", "\u3000\n"])
def test_empty_text_is_refused(raw: str) -> None:
    """There is nothing to predict from."""
    assert input_error(TextField(example="a word"), raw).reason == "must not be empty"


def test_the_length_limit_applies_to_the_normal_form() -> None:
    """White space around a text does not count."""
    field = TextField(max_length=3)
    assert read_value("size", field, "  a  b  ") == "a b"
    assert read_value("size", field, "e\u0301" * 3) == "ééé"
    assert input_error(field, "abcd").reason == "has 4 characters, more than 3"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (None, "null"),
        (3, "a number"),
        (3.5, "a number"),
        (True, "true or false"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
@pytest.mark.parametrize("field", [TextField(), ChoiceField(choices=("small",))])
def test_a_value_that_is_not_text_is_refused_by_its_type(
    field: Field, raw: object, kind: str
) -> None:
    """The error names the type as JSON does, not as Python does."""
    assert input_error(field, raw).reason == f"must be text, not {kind}"


def test_a_strict_choice_must_be_in_the_list() -> None:
    """The error shows the whole list."""
    field = ChoiceField(choices=("High School", "PhD"), strict=True)
    assert read_value("size", field, " High\tSchool ") == "High School"
    error = input_error(field, "phd")
    assert error.reason == "must be one of High School, PhD"
    assert error.example == "High School"


def test_a_choice_that_is_not_in_the_list_is_accepted_unless_the_field_is_strict() -> None:
    """A table of tomorrow has words that today's table does not have."""
    assert read_value("size", ChoiceField(choices=("red",)), " dark\tgreen ") == "dark green"
    assert read_value("size", ChoiceField(), "Saint-Étienne") == "Saint-Étienne"
    assert input_error(ChoiceField(), "x" * 201).reason == "has 201 characters, more than 200"
    assert input_error(ChoiceField(), "").reason == "must not be empty"


@pytest.mark.parametrize(
    "field",
    [
        TextField(optional=True),
        ChoiceField(choices=("a",), strict=True, optional=True),
        NumberField(optional=True),
        IntegerField(optional=True),
        BooleanField(optional=True),
        DateField(optional=True),
        DatetimeField(optional=True),
    ],
)
@pytest.mark.parametrize("raw", [None, "", "  "])
def test_an_optional_field_may_be_missing(field: Field, raw: object) -> None:
    """A missing value is a value of its own."""
    assert read_value("size", field, raw) is None


def test_words_and_numbers_may_mean_missing() -> None:
    """Only in the field whose spec says so."""
    field = NumberField(optional=True, missing=("?", "-200"))
    assert [read_value("size", field, raw) for raw in ("?", "-200", -200, "-200.0", 7)] == [
        *[None] * 4,
        7,
    ]
    assert read_value("size", ChoiceField(optional=True), "NA") == "NA"
    assert read_value("size", ChoiceField(optional=True, missing=("NA",)), "NA") is None
    assert read_value("size", NumberField(default=5, missing=("?",)), "?") == 5
    assert input_error(NumberField(missing=("?",)), "?").reason == "is missing"


@pytest.mark.parametrize("raw", [950, "950", "$950.00", "$ 950"])
def test_a_number_in_a_request_may_be_plain_or_in_the_format_of_its_column(raw: object) -> None:
    """A row can be asked as it stands in the file."""
    assert read_value("size", NumberField(format="$1,234.5"), raw) == 950


def test_a_number_that_can_mean_two_things_in_a_request_is_refused() -> None:
    """Guessing would be silently wrong."""
    error = input_error(NumberField(format="1.234,5"), "1.234")
    assert error.reason == "1.234 can be 1.234 or 1234; write it plainly"
    assert read_value("size", NumberField(format="1.234,5"), 1.234) == 1.234
    assert "like 1234.5 %" in input_error(NumberField(format="1234.5 %"), "5 kg").reason


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        (DateField(), "2024-01-07", "2024-01-07"),
        (DateField(), "2024-01-07 00:00:00", "2024-01-07"),
        (DateField(order="DMY"), "7/1/2024", "2024-01-07"),
        (DateField(order="MDY"), "1/7/24", "2024-01-07"),
        (DateField(order="epoch"), 1704585600, "2024-01-07"),
        (DatetimeField(), "2024-01-07T08:30", "2024-01-07T08:30:00"),
        (DatetimeField(), "2024-01-07 08:30:00Z", "2024-01-07T08:30:00+00:00"),
        (DatetimeField(order="epoch"), "1704616200000", "2024-01-07T08:30:00+00:00"),
    ],
)
def test_a_date_is_read_as_its_day(field: Field, raw: object, value: str) -> None:
    """All spellings give the same text, which is ISO 8601."""
    assert read_value("day", field, raw) == value
    assert read_value("day", field, value) == value


@pytest.mark.parametrize("raw", ["2024-02-30", "7/1/2024", "soon", 5, True, "2024-01-07T08:00"])
def test_what_is_no_date_is_refused(raw: object) -> None:
    """A date field has no time of day, and day or month first is the spec's choice."""
    assert input_error(DateField(), raw).example == "2024-01-31"


@pytest.mark.parametrize("raw", [30, 30.0, "30", "30.0", "3e1", "+30", " 30. ", "0.3E+2", "030"])
def test_a_number_is_read_by_its_value(raw: object) -> None:
    """All spellings give the same number."""
    read = read_value("size", NumberField(), raw)
    assert read == 30
    assert isinstance(read, int)


@pytest.mark.parametrize("raw", [0, 0.0, -0.0, "-0", "-0.0", "-0e5"])
def test_minus_zero_is_zero(raw: object) -> None:
    """The two are equal, so their keys must be equal."""
    assert repr(read_value("size", NumberField(), raw)) == "0"


@given(numbers)
def test_a_number_reads_the_same_from_text_and_from_json(number: float) -> None:
    """A query sends it as text, a body as a number."""
    read = read_value("size", NumberField(), number)
    assert read == number
    for text in (repr(number), format(Decimal(number), "f")):
        assert repr(read_value("size", NumberField(), text)) == repr(read)


@given(numbers)
def test_normalizing_a_number_twice_changes_nothing(number: float) -> None:
    """The normal number has the same value."""
    once = normal_number(number)
    assert once == number
    assert repr(normal_number(once)) == repr(once)


@pytest.mark.parametrize("raw", ["1_000", "", "  ", "nan", "inf", "-Infinity", "0x10", "1,5", "1e"])
@pytest.mark.parametrize("field", [NumberField(), IntegerField()])
def test_text_that_is_not_a_number_is_refused(field: Field, raw: str) -> None:
    """Python's int() and float() accept several of these texts."""
    assert input_error(field, raw).reason.startswith("must be a number")


def test_a_decimal_comma_is_refused_with_the_fix() -> None:
    """Spreadsheets in many countries write decimal commas."""
    assert input_error(NumberField(), "1,5").reason == "must be a number: write 2.5, not 2,5"


@pytest.mark.parametrize("raw", ["٣٠", "３０", "३०", "1²", "3\u202f000"])
def test_digits_of_other_scripts_are_refused(raw: str) -> None:
    """Their value would be a guess."""
    assert input_error(NumberField(), raw).reason == "must be a number"


@pytest.mark.parametrize(
    "raw", [math.nan, math.inf, -math.inf, "1e400", "-1e400", 10**400, -(10**400), "9" * 400]
)
@pytest.mark.parametrize("field", [NumberField(), IntegerField()])
def test_a_number_that_is_not_finite_is_refused(field: Field, raw: object) -> None:
    """An integer may be too large for a float."""
    assert input_error(field, raw).reason == "must be a finite number"


@pytest.mark.parametrize(
    ("raw", "kind"), [(None, "null"), (True, "true or false"), ([1], "an array"), ({}, "an object")]
)
def test_a_value_that_is_not_a_number_is_refused_by_its_type(raw: object, kind: str) -> None:
    """In Python, True equals 1; as an input it is not a number."""
    assert input_error(NumberField(), raw).reason == f"must be a number, not {kind}"


@pytest.mark.parametrize("raw", [1.5, "1.5", "1e-3", 2**53, "1e99"])
def test_an_integer_must_be_whole_and_exact_as_a_float(raw: object) -> None:
    """From 2^53 on, a float cannot represent every integer."""
    assert "whole number" in input_error(IntegerField(), raw).reason


@pytest.mark.parametrize("field", [NumberField(min=-1, max=3), IntegerField(min=-1, max=3)])
def test_limits_of_a_number_are_included(field: Field) -> None:
    """The smallest and the largest value are both valid."""
    assert [read_value("size", field, raw) for raw in (-1, "3")] == [-1, 3]
    assert input_error(field, -2).reason.startswith("must be at least -1")
    assert input_error(field, 4).reason.startswith("must be at most 3")
    assert input_error(field, 4).example == -1


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        *((raw, True) for raw in (True, "true", " True ", "1", 1)),
        *((raw, False) for raw in (False, "false", "FALSE", "0", 0)),
    ],
)
def test_booleans_are_read_from_words_and_digits(raw: object, value: object) -> None:
    """Queries and CSV files have no booleans."""
    assert read_value("size", BooleanField(), raw) is value


@pytest.mark.parametrize("raw", ["yes", "", "2", 2, 1.0, None, [], "vrai"])
def test_any_other_value_is_not_a_boolean(raw: object) -> None:
    """A guess would be stored."""
    assert input_error(BooleanField(), raw).reason == "must be true or false"


@pytest.mark.parametrize(
    ("field", "example"),
    [
        (TextField(example="a word"), "a word"),
        (ChoiceField(choices=("a", "b")), "a"),
        (ChoiceField(choices=("a", "b"), example="b"), "b"),
        (NumberField(max=-5), -5),
        (IntegerField(min=18, max=99), 18),
        (BooleanField(), True),
        (BooleanField(example=False), False),
    ],
)
def test_an_error_shows_a_valid_example(field: Field, example: object) -> None:
    """The example is the field's own or one that its limits suggest."""
    assert example_of(field) == example
    assert input_error(field, object()).example == example
    assert read_value("size", field, example) == example


def test_an_input_error_survives_pickling() -> None:
    """A child process sends it to its parent."""
    error = input_error(IntegerField(min=18), 3)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert (copy.field, copy.reason, copy.example) == ("size", "must be at least 18", 18)
    assert str(copy) == str(error)
