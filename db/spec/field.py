"""The types of a dataset's input fields."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from .dates.date_value import DateOrder
from .normalization import normal_number

# A value in its normal form; None is a missing value, dates are ISO 8601 text.
Value: TypeAlias = str | int | float | bool | None
Inputs: TypeAlias = dict[str, Value]

MAX_CHOICE_CHARACTERS = 200


class _Field(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A field must be given unless it is optional or has a default."""

    title: str = ""
    column: str = ""
    """The field's column in data files, if it has another name."""
    optional: bool = False
    """Whether the value may be missing, which is then a value of its own."""
    missing: tuple[str, ...] = ()
    """Words or numbers that mean "missing", in addition to an empty cell."""


class TextField(_Field, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Free text."""

    max_length: int = 1000
    default: str | None = None
    example: str | None = None


class ChoiceField(_Field, frozen=True, kw_only=True, tag_field="type", tag="choice"):
    """One of several words; a word that is not among `choices` is refused only if `strict`."""

    choices: tuple[str, ...] = ()
    strict: bool = False
    default: str | None = None
    example: str | None = None


class NumberField(_Field, frozen=True, kw_only=True, tag_field="type", tag="number"):
    """A finite number; `min` and `max` are inclusive; `format` is that of the column's cells."""

    min: float | None = None
    max: float | None = None
    format: str = ""
    default: float | None = None
    example: float | None = None


class IntegerField(_Field, frozen=True, kw_only=True, tag_field="type", tag="integer"):
    """A whole number; `min` and `max` are inclusive; `format` is that of the column's cells."""

    min: int | None = None
    max: int | None = None
    format: str = ""
    default: int | None = None
    example: int | None = None


class BooleanField(_Field, frozen=True, kw_only=True, tag_field="type", tag="boolean"):
    """True or false."""

    default: bool | None = None
    example: bool | None = None


class DateField(_Field, frozen=True, kw_only=True, tag_field="type", tag="date"):
    """A day; `order` says which of 1/2/2024 comes first, or that days are seconds since 1970."""

    order: DateOrder = "YMD"
    default: str | None = None
    example: str | None = None


class DatetimeField(_Field, frozen=True, kw_only=True, tag_field="type", tag="datetime"):
    """A day with a time of day and perhaps a time zone; `order` is as for a date."""

    order: DateOrder = "YMD"
    default: str | None = None
    example: str | None = None


Field: TypeAlias = (
    TextField | ChoiceField | NumberField | IntegerField | BooleanField | DateField | DatetimeField
)


def is_required(field: Field) -> bool:
    """Return whether a field must be given."""
    return field.default is None and not field.optional


def example_of(field: Field) -> Value:
    """Return the field's example, or else a valid value that its type and limits suggest."""
    if isinstance(field, NumberField | IntegerField):
        candidates = (field.example, field.min, field.max)
        return normal_number(next((number for number in candidates if number is not None), 1))
    if field.example is not None:
        return field.example
    if isinstance(field, ChoiceField):
        return field.choices[0] if field.choices else "some value"
    if isinstance(field, DateField | DatetimeField):
        return "2024-01-31" if isinstance(field, DateField) else "2024-01-31T08:00:00"
    return True if isinstance(field, BooleanField) else "some text"[: field.max_length].strip()
