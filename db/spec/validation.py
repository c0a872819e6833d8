"""Validation: one raw value becomes a field's value in its normal form, or an InputError."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import NoReturn, TypeAlias

from db.errors import InputError

from .dates.date_value import from_epoch, read_moment
from .field import (
    MAX_CHOICE_CHARACTERS,
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    IntegerField,
    NumberField,
    TextField,
    Value,
    example_of,
)
from .normalization import LARGEST_WHOLE, normal_number, normal_text
from .number_format import PLAIN_NUMBER, looks_grouped, parse_format

# The square of a larger number may overflow in a model.
LARGEST_NUMBER = 1e100
# The longest float, written in full with sign and point, has about 1,080 characters.
MAX_NUMBER_CHARACTERS = 1200
# A character decomposes into at most four.
_DECOMPOSED_CHARACTERS = 4
# Room for white space around and between words, which normalising removes.
_SPARE_CHARACTERS = 1000

_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
# Word processors and web pages write a minus sign so.
_LONG_DASHES = ("\u2212", "\u2013")
_NUMBER_SPACE = " \t\n\r\v\f"


def read_value(name: str, field: Field, raw: object) -> Value:
    """Return the normal form of a value, which comes as text (a query, a CSV cell) or as JSON.

    The value is None if it is missing and the field is optional. Raises InputError with the field,
    the reason and an example.
    """

    def refuse(reason: str) -> NoReturn:
        raise InputError(name, reason, example_of(field))

    if _is_empty(raw) and (field.optional or field.default is not None):
        return field.default
    if isinstance(raw, str) and field.missing and raw.strip(_NUMBER_SPACE) in field.missing:
        return _missing(field, refuse)
    value = _READERS[type(field)](field, raw, refuse)
    if field.missing and _is_missing_number(field, value):
        return _missing(field, refuse)
    return value


def _is_missing_number(field: Field, value: Value) -> bool:
    is_number = isinstance(field, NumberField | IntegerField)
    return is_number and value in missing_numbers(field.missing)


def _is_empty(raw: object) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip(_NUMBER_SPACE))


def _missing(field: Field, refuse: _Refuse) -> Value:
    """Return the value of a missing one: None, or the default; refuse if neither is allowed."""
    if not field.optional and field.default is None:
        refuse("is missing")
    return field.default


@lru_cache(256)
def missing_numbers(words: tuple[str, ...]) -> frozenset[float]:
    """Return those of the words for "missing" that are numbers, such as -200."""
    return frozenset(float(word) for word in words if PLAIN_NUMBER.fullmatch(word))


_Refuse: TypeAlias = Callable[[str], NoReturn]


def _read_text(field: TextField, raw: object, refuse: _Refuse) -> str:
    text = _normal(raw, field.max_length, refuse)
    if not text:
        refuse("must not be empty")
    if len(text) > field.max_length:
        refuse(f"has {len(text)} characters, more than {field.max_length}")
    return text


def _read_choice(field: ChoiceField, raw: object, refuse: _Refuse) -> str:
    text = _normal(raw, max(map(len, field.choices), default=MAX_CHOICE_CHARACTERS), refuse)
    if field.strict and text not in field.choices:
        refuse(f"must be one of {', '.join(field.choices)}")
    if not text:
        refuse("must not be empty")
    if len(text) > MAX_CHOICE_CHARACTERS:
        refuse(f"has {len(text)} characters, more than {MAX_CHOICE_CHARACTERS}")
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
    number = _finite(raw, field.format, refuse)
    if isinstance(field, IntegerField) and not isinstance(number, int):
        refuse("must be a whole number within ±2^53")
    if field.min is not None and number < field.min:
        refuse(f"must be at least {field.min}")
    if field.max is not None and number > field.max:
        refuse(f"must be at most {field.max}")
    return number


def _finite(raw: object, number_format: str, refuse: _Refuse) -> int | float:
    if isinstance(raw, str):
        raw = _parse_number(raw, number_format, refuse)
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


def _parse_number(raw: str, number_format: str, refuse: _Refuse) -> float:
    if len(raw) > MAX_NUMBER_CHARACTERS:
        refuse(f"has {len(raw)} characters, more than {MAX_NUMBER_CHARACTERS}")
    text = raw.strip(_NUMBER_SPACE)
    if text.startswith(_LONG_DASHES):
        text = f"-{text[1:]}"
    # float() would also accept "1_000", "nan" and digits of other scripts.
    plain = text if PLAIN_NUMBER.fullmatch(text) else None
    formatted = parse_format(number_format).read(text) if number_format else None
    number = formatted if plain is None else plain
    if number is None:
        comma = not number_format and _DECIMAL_COMMA.fullmatch(text)
        like = f" like {number_format}" if number_format else ""
        refuse(f"must be a number{like}{': write 2.5, not 2,5' if comma else ''}")
    if plain is not None and formatted is not None and float(plain) != float(formatted):
        refuse(f"{text} can be {float(plain):.15g} or {float(formatted):.15g}; write it plainly")
    return float(number)


def read_cell_number(raw: str, number_format: str) -> float | str:
    """Return the number in a data file's cell; raises ValueError with the reason.

    A file says what its marks mean: in a column like 1.234,5 the cell 1.234 is 1234. Text that is
    not a number in the format is returned as it is, to be refused with the field's reason.
    """
    if len(raw) > MAX_NUMBER_CHARACTERS:
        return raw
    parsed = parse_format(number_format)
    formatted = parsed.read(raw)
    if formatted is not None:
        return float(formatted)
    if parsed.needed_affix and PLAIN_NUMBER.fullmatch(raw.strip(_NUMBER_SPACE)):
        raise ValueError(
            f"{raw.strip()} has no {parsed.needed_affix!r}, unlike a column like {number_format}"
        )
    other = "." if parsed.mark == "," else ","
    if looks_grouped(raw, other):
        raise ValueError(
            f"{raw.strip()} can be a decimal number or a whole number, in a column like"
            f" {number_format}; write 2{parsed.mark}5 or 2500"
        )
    return raw


def _read_boolean(_field: BooleanField, raw: object, refuse: _Refuse) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        raw = {"true": 1, "1": 1, "false": 0, "0": 0}.get(raw.strip().lower())
    if not isinstance(raw, int) or raw not in {0, 1}:
        refuse("must be true or false")
    return raw == 1


def _read_date(field: DateField, raw: object, refuse: _Refuse) -> str:
    moment = _read_moment(field, raw, refuse)
    if (moment.hour, moment.minute, moment.second) != (0, 0, 0):
        refuse("must be a date without a time of day")
    return moment.date().isoformat()


def _read_datetime(field: DatetimeField, raw: object, refuse: _Refuse) -> str:
    return _read_moment(field, raw, refuse).isoformat()


def _read_moment(field: DateField | DatetimeField, raw: object, refuse: _Refuse) -> datetime:
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        refuse(f"must be a date, not {_kind(raw)}")
    if isinstance(raw, int | float) and field.order != "epoch":
        # A JSON file may have 20240131 as a number; Python writes no int of 5,000 digits as text.
        if abs(raw) > LARGEST_WHOLE:
            refuse("must be a date")
        raw = str(raw)
    try:
        return read_moment(raw, field.order) if isinstance(raw, str) else from_epoch(float(raw))
    except ValueError as error:
        refuse(str(error))
    except OverflowError:
        refuse("is not a time since 1970")


_READERS: dict[type, Callable[..., Value]] = {
    TextField: _read_text,
    ChoiceField: _read_choice,
    NumberField: _read_number,
    IntegerField: _read_number,
    BooleanField: _read_boolean,
    DateField: _read_date,
    DatetimeField: _read_datetime,
}


def _kind(raw: object) -> str:
    if raw is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text"}
    return names.get(type(raw), "an array" if isinstance(raw, list | tuple) else "an object")
