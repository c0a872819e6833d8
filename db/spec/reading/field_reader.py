"""Readers of a field's values: usual values take a fraction of the time of `read_value`.

Whatever a reader does not expect is left to `read_value`, which also says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeAlias

from db.spec.field import Field, IntegerField, NumberField, TextField, Value
from db.spec.normalization import is_normal, normal_number
from db.spec.validation import LARGEST_NUMBER, MAX_NUMBER_CHARACTERS, read_value

# The values of choices and of dates repeat. They take up to 250 bytes each.
REMEMBERED_VALUES = 128
LONGEST_REMEMBERED = 64

Reader: TypeAlias = Callable[[object], Value]


def make_reader(name: str, field: Field) -> Reader:
    """Return what reads a value of a field as `read_value` does."""
    read = partial(read_value, name, field)
    if isinstance(field, TextField):
        return _text_reader(field, read)
    if isinstance(field, NumberField | IntegerField):
        # The cells of a column with a format may have several meanings.
        return read if field.format or field.missing else _number_reader(field, read)
    return _remembering_reader(read)


def _text_reader(field: TextField, read: Reader) -> Reader:
    longest, missing = field.max_length, field.missing

    def read_text(raw: object) -> Value:
        if type(raw) is str and 0 < len(raw) <= longest and is_normal(raw) and raw not in missing:
            return raw
        return read(raw)

    return read_text


def _number_reader(field: NumberField | IntegerField, read: Reader) -> Reader:
    low = -LARGEST_NUMBER if field.min is None else max(field.min, -LARGEST_NUMBER)
    high = LARGEST_NUMBER if field.max is None else min(field.max, LARGEST_NUMBER)
    is_whole = isinstance(field, IntegerField)

    def read_number(raw: object) -> Value:
        number = _usual_number(raw)
        # No comparison with NaN is true.
        if number is None or not low <= number <= high:
            return read(raw)
        normal = normal_number(number)
        return read(raw) if is_whole and type(normal) is float else normal

    return read_number


def _usual_number(raw: object) -> float | None:
    """Return a number, or that in plain text; None for anything else."""
    if type(raw) is str:
        # float() would also accept "1_000", and digits and white space of other scripts.
        is_plain = raw.isascii() and raw.isprintable() and "_" not in raw
        if not is_plain or len(raw) > MAX_NUMBER_CHARACTERS:
            return None
    elif type(raw) is not float and type(raw) is not int:
        return None
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def _remembering_reader(read: Reader) -> Reader:
    remembered = lru_cache(REMEMBERED_VALUES)(read)

    def read_word(raw: object) -> Value:
        # 1, 1.0 and True are equal, but not the same value.
        if type(raw) is str and len(raw) <= LONGEST_REMEMBERED:
            return remembered(raw)
        return read(raw)

    return read_word
