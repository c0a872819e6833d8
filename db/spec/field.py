"""The typed input fields of a dataset, and the normal form of their values."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from typing import NoReturn, TypeAlias

import msgspec

from db.errors import InputError

Value: TypeAlias = str | int | float | bool
Inputs: TypeAlias = dict[str, Value]

# The square of a larger number may overflow in a model.
LARGEST_NUMBER = 1e100
# Above this, a float cannot represent every whole number.
LARGEST_WHOLE = 2**53

# The longest float, written in full with sign and point, has about 1,080 characters.
MAX_NUMBER_CHARACTERS = 1200
# Real text has at most a few combining marks per letter. The time to normalise a text grows with
# the square of the number of consecutive marks.
MAX_COMBINING_MARKS = 100
# A character decomposes into at most four.
_DECOMPOSED_CHARACTERS = 4
# Room for white space around and between words, which normalising removes.
_SPARE_CHARACTERS = 1000

# No two parts of the pattern can match the same digits, so matching takes linear time.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NUMBER_SPACE = " \t\n\r\v\f"
# These characters decompose into combining marks but have the combining class 0.
_MARKS_WITHOUT_CLASS = frozenset("\u0f73\u0f75\u0f81")

_SPACE = re.compile(r"[ \t\n\v\f\r\x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class _Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field is required if it has no default; `column` is its column in data files."""

    title: str = ""
    column: str = ""


class TextField(_Field, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Free text."""

    max_length: int = 1000
    default: str | None = None
    example: str | None = None


class ChoiceField(_Field, frozen=True, kw_only=True, tag_field="type", tag="choice"):
    """One of a fixed set of words."""

    choices: tuple[str, ...]
    default: str | None = None
    example: str | None = None


class NumberField(_Field, frozen=True, kw_only=True, tag_field="type", tag="number"):
    """A finite number; `min` and `max` are inclusive."""

    min: float | None = None
    max: float | None = None
    default: float | None = None
    example: float | None = None


class IntegerField(_Field, frozen=True, kw_only=True, tag_field="type", tag="integer"):
    """A whole number; `min` and `max` are inclusive."""

    min: int | None = None
    max: int | None = None
    default: int | None = None
    example: int | None = None


class BooleanField(_Field, frozen=True, kw_only=True, tag_field="type", tag="boolean"):
    """True or false."""

    default: bool | None = None
    example: bool | None = None


Field: TypeAlias = TextField | ChoiceField | NumberField | IntegerField | BooleanField


def example_of(field: Field) -> Value:
    """Return the field's example, or else a valid value that its type and limits suggest."""
    if isinstance(field, NumberField | IntegerField):
        candidates = (field.example, field.min, field.max)
        return normal_number(next((number for number in candidates if number is not None), 1))
    if field.example is not None:
        return field.example
    if isinstance(field, ChoiceField):
        return field.choices[0]
    return True if isinstance(field, BooleanField) else "some text"[: field.max_length].strip()


def normal_text(text: str) -> str:
    """Return the text in NFC, trimmed, with each run of white space as one space.

    Raises ValueError if it contains a control character, half a surrogate pair or a long run of
    combining marks.
    """
    control = _CONTROL.search(text.replace("\x85", " "))
    if control:
        raise ValueError(f"contains the control character U+{ord(control.group()):04X}")
    if _has_long_run_of_marks(text):
        raise ValueError(f"has more than {MAX_COMBINING_MARKS} combining marks in a row")
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip(" ")


def _has_long_run_of_marks(text: str) -> bool:
    if len(text) <= MAX_COMBINING_MARKS or text.isascii():
        return False
    run = 0
    for character in text:
        is_mark = unicodedata.combining(character) or character in _MARKS_WITHOUT_CLASS
        run = run + 1 if is_mark else 0
        if run > MAX_COMBINING_MARKS:
            return True
    return False


def normal_number(number: float) -> int | float:
    """Return the normal form of a number: 30 for 30.0 and 3e1, 0 for -0."""
    if isinstance(number, float) and number.is_integer() and abs(number) < LARGEST_WHOLE:
        return int(number)
    return number


def plain_number(text: str) -> str:
    """Return a number's text with a decimal point and without spaces between thousands."""
    return re.sub(r"(?<=\d)[ \u00a0\u202f](?=\d{3})", "", text.strip()).replace(",", ".")


def read_value(name: str, field: Field, raw: object) -> Value:
    """Return the normal form of a value, which comes as text (a query, a CSV cell) or as JSON.

    Raises InputError with the field, the reason and an example.
    """

    def refuse(reason: str) -> NoReturn:
        raise InputError(name, reason, example_of(field))

    return _READERS[type(field)](field, raw, refuse)


_Refuse: TypeAlias = Callable[[str], NoReturn]


def _read_text(field: TextField, raw: object, refuse: _Refuse) -> str:
    text = _normal(raw, field.max_length, refuse)
    if not text:
        refuse("must not be empty")
    if len(text) > field.max_length:
        refuse(f"has {len(text)} characters, more than {field.max_length}")
    return text


def _read_choice(field: ChoiceField, raw: object, refuse: _Refuse) -> str:
    text = _normal(raw, max(map(len, field.choices)), refuse)
    if text not in field.choices:
        refuse(f"must be one of {', '.join(field.choices)}")
    return text


def _normal(raw: object, max_characters: int, refuse: _Refuse) -> str:
    """Return the normal form of a text; refuse one that is far longer than `max_characters`."""
    if not isinstance(raw, str):
        refuse(f"must be text, not {_kind(raw)}")
    # Check the length before any work that grows with it.
    if len(raw) > _DECOMPOSED_CHARACTERS * max_characters + _SPARE_CHARACTERS:
        refuse(f"has {len(raw)} characters, more than {max_characters}")
    try:
        return normal_text(raw)
    except ValueError as error:
        refuse(str(error))


def _read_number(field: NumberField | IntegerField, raw: object, refuse: _Refuse) -> int | float:
    number = _finite(raw, refuse)
    if isinstance(field, IntegerField) and not isinstance(number, int):
        refuse("must be a whole number within ±2^53")
    if field.min is not None and number < field.min:
        refuse(f"must be at least {field.min}")
    if field.max is not None and number > field.max:
        refuse(f"must be at most {field.max}")
    return number


def _finite(raw: object, refuse: _Refuse) -> int | float:
    if isinstance(raw, str):
        raw = _parse_number(raw, refuse)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        refuse(f"must be a number, not {_kind(raw)}")
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        refuse("must be a finite number")
    if abs(number) > LARGEST_NUMBER:
        refuse(f"must be within ±{LARGEST_NUMBER:g}")
    return normal_number(number)


def _parse_number(raw: str, refuse: _Refuse) -> float:
    if len(raw) > MAX_NUMBER_CHARACTERS:
        refuse(f"has {len(raw)} characters, more than {MAX_NUMBER_CHARACTERS}")
    text = raw.strip(_NUMBER_SPACE)
    # float() would also accept "1_000", "nan" and digits of other scripts.
    if not NUMBER.fullmatch(text):
        comma = _DECIMAL_COMMA.fullmatch(text)
        refuse(f"must be a number{': write 2.5, not 2,5' if comma else ''}")
    return float(text)


def _read_boolean(_field: BooleanField, raw: object, refuse: _Refuse) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        raw = {"true": 1, "1": 1, "false": 0, "0": 0}.get(raw.strip().lower())
    if not isinstance(raw, int) or raw not in {0, 1}:
        refuse("must be true or false")
    return raw == 1


_READERS: dict[type, Callable[..., Value]] = {
    TextField: _read_text,
    ChoiceField: _read_choice,
    NumberField: _read_number,
    IntegerField: _read_number,
    BooleanField: _read_boolean,
}


def _kind(raw: object) -> str:
    if raw is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text"}
    return names.get(type(raw), "an array" if isinstance(raw, list | tuple) else "an object")
