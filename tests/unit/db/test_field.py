"""Fields: the one form of each value, and what is refused with its field and an example."""

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
    Field,
    IntegerField,
    NumberField,
    TextField,
    example_of,
    normal_number,
    normal_text,
    read_value,
)

BLANKS = " \t\n\v\f\r\x85\xa0\u1680\u2003\u2028\u202f\u3000"
texts = st.text(
    st.one_of(st.sampled_from(BLANKS), st.characters(exclude_categories=["Cc", "Cs"])), max_size=40
)
numbers = st.floats(-1e100, 1e100)


def refusal(field: Field, raw: object) -> InputError:
    """Return what is said of a value that is not taken."""
    with pytest.raises(InputError) as caught:
        read_value("size", field, raw)
    assert caught.value.field == "size"
    assert str(caught.value) == f"size: {caught.value.reason}"
    return caught.value


@given(texts)
def test_normal_text_stays_as_it_is(text: str) -> None:
    """Its key would otherwise depend on how often it was read."""
    once = normal_text(text)
    assert normal_text(once) == once


@given(texts)
def test_normal_text_is_the_same_for_composed_and_decomposed_letters(text: str) -> None:
    """A Mac writes é as two characters, others as one."""
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


def test_case_and_inner_marks_of_a_text_are_kept() -> None:
    """They may tell one intent from another."""
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
    """Neither PostgreSQL nor a log line takes them."""
    assert name in refusal(field, f"sm{character}all").reason


@pytest.mark.parametrize("raw", ["", "   ", "\u3000\n"])
def test_empty_text_is_refused(raw: str) -> None:
    """There is nothing to predict from."""
    assert refusal(TextField(example="a word"), raw).reason == "must not be empty"


def test_a_text_is_as_long_as_its_one_form() -> None:
    """White space around it costs nothing."""
    field = TextField(max_length=3)
    assert read_value("size", field, "  a  b  ") == "a b"
    assert read_value("size", field, "e\u0301" * 3) == "ééé"
    assert refusal(field, "abcd").reason == "has 4 characters, more than 3"


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
def test_what_is_no_text_is_refused_by_its_kind(field: Field, raw: object, kind: str) -> None:
    """The words are JSON's, not Python's."""
    assert refusal(field, raw).reason == f"must be text, not {kind}"


def test_a_choice_is_one_of_its_words() -> None:
    """The refusal lists them all."""
    field = ChoiceField(choices=("High School", "PhD"))
    assert read_value("size", field, " High\tSchool ") == "High School"
    caught = refusal(field, "phd")
    assert caught.reason == "must be one of High School, PhD"
    assert caught.example == "High School"


@pytest.mark.parametrize("raw", [30, 30.0, "30", "30.0", "3e1", "+30", " 30. ", "0.3E+2", "030"])
def test_a_number_is_known_by_its_value(raw: object) -> None:
    """However it is written."""
    read = read_value("size", NumberField(), raw)
    assert read == 30
    assert isinstance(read, int)


@pytest.mark.parametrize("raw", [0, 0.0, -0.0, "-0", "-0.0", "-0e5"])
def test_minus_zero_is_zero(raw: object) -> None:
    """They are equal, so their keys must be."""
    assert repr(read_value("size", NumberField(), raw)) == "0"


@given(numbers)
def test_a_number_reads_the_same_from_text_and_from_json(number: float) -> None:
    """A query has it as text, a body as a number."""
    read = read_value("size", NumberField(), number)
    assert read == number
    for text in (repr(number), format(Decimal(number), "f")):
        assert repr(read_value("size", NumberField(), text)) == repr(read)


@given(numbers)
def test_a_normal_number_stays_as_it_is(number: float) -> None:
    """And keeps its value."""
    once = normal_number(number)
    assert once == number
    assert repr(normal_number(once)) == repr(once)


@pytest.mark.parametrize("raw", ["1_000", "", "  ", "nan", "inf", "-Infinity", "0x10", "1,5", "1e"])
@pytest.mark.parametrize("field", [NumberField(), IntegerField()])
def test_text_that_is_no_number_is_refused(field: Field, raw: str) -> None:
    """Python's own reading takes several of these."""
    assert refusal(field, raw).reason.startswith("must be a number")


def test_a_decimal_comma_is_refused_with_the_mend() -> None:
    """As spreadsheets of half the world write it."""
    assert refusal(NumberField(), "1,5").reason == "must be a number: write 2.5, not 2,5"


@pytest.mark.parametrize("raw", ["٣٠", "３０", "३०", "1²", "3\u202f000"])
def test_digits_of_other_scripts_are_refused(raw: str) -> None:
    """Their value would be a guess."""
    assert refusal(NumberField(), raw).reason == "must be a number"


@pytest.mark.parametrize(
    "raw", [math.nan, math.inf, -math.inf, "1e400", "-1e400", 10**400, -(10**400), "9" * 400]
)
@pytest.mark.parametrize("field", [NumberField(), IntegerField()])
def test_a_number_that_is_not_finite_is_refused(field: Field, raw: object) -> None:
    """A whole number may be too large for a float."""
    assert refusal(field, raw).reason == "must be a finite number"


@pytest.mark.parametrize(
    ("raw", "kind"), [(None, "null"), (True, "true or false"), ([1], "an array"), ({}, "an object")]
)
def test_what_is_no_number_is_refused_by_its_kind(raw: object, kind: str) -> None:
    """True is no 1 here."""
    assert refusal(NumberField(), raw).reason == f"must be a number, not {kind}"


@pytest.mark.parametrize("raw", [1.5, "1.5", "1e-3", 2**53, "1e99"])
def test_an_integer_is_whole_and_told_apart_from_its_neighbours(raw: object) -> None:
    """Above 2^53 a float no longer tells them apart."""
    assert "whole number" in refusal(IntegerField(), raw).reason


@pytest.mark.parametrize("field", [NumberField(min=-1, max=3), IntegerField(min=-1, max=3)])
def test_limits_of_a_number_are_included(field: Field) -> None:
    """At least and at most mean both ends."""
    assert [read_value("size", field, raw) for raw in (-1, "3")] == [-1, 3]
    assert refusal(field, -2).reason.startswith("must be at least -1")
    assert refusal(field, 4).reason.startswith("must be at most 3")
    assert refusal(field, 4).example == -1


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        *((raw, True) for raw in (True, "true", " True ", "1", 1)),
        *((raw, False) for raw in (False, "false", "FALSE", "0", 0)),
    ],
)
def test_yes_and_no_are_read_from_words_and_digits(raw: object, value: object) -> None:
    """Queries and CSV files have no booleans."""
    assert read_value("size", BooleanField(), raw) is value


@pytest.mark.parametrize("raw", ["yes", "", "2", 2, 1.0, None, [], "vrai"])
def test_any_other_word_is_neither_yes_nor_no(raw: object) -> None:
    """A guess would be stored."""
    assert refusal(BooleanField(), raw).reason == "must be true or false"


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
def test_a_refusal_shows_an_example_that_would_do(field: Field, example: object) -> None:
    """The field's own, or one that its limits suggest."""
    assert example_of(field) == example
    assert refusal(field, object()).example == example
    assert read_value("size", field, example) == example


def test_a_refusal_survives_pickling() -> None:
    """It travels from child to parent."""
    caught = refusal(IntegerField(min=18), 3)
    copy = pickle.loads(pickle.dumps(caught))  # noqa: S301  our own bytes
    assert (copy.field, copy.reason, copy.example) == ("size", "must be at least 18", 18)
    assert str(copy) == str(caught)
