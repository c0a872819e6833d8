"""Validation: one raw value becomes a field's value in its normal form, or an InputError."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from db.errors import InputError

from .field import (
    BooleanField,
    ChoiceField,
    Field,
    IntegerField,
    NumberField,
    TextField,
    Value,
    example_of,
)
from .normalization import normal_number, normal_text

# The square of a larger number may overflow in a model.
LARGEST_NUMBER = 1e100
# The longest float, written in full with sign and point, has about 1,080 characters.
MAX_NUMBER_CHARACTERS = 1200
# A character decomposes into at most four.
_DECOMPOSED_CHARACTERS = 4
# Room for white space around and between words, which normalising removes.
_SPARE_CHARACTERS = 1000

# No two parts of the pattern can match the same digits, so matching takes linear time.
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_NUMBER_SPACE = " \t\n\r\v\f"


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
