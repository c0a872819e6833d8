"""The types of a dataset's input fields."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from .normalization import normal_number

Value: TypeAlias = str | int | float | bool
Inputs: TypeAlias = dict[str, Value]


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
