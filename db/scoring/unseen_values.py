"""Warnings about values unlike those of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from db.spec.field import Value

from .features import date_of_days
from .student_data import LinearData, StudentData
from .student_parts import ChoiceInput, NumberInput, NumberPart, PiecewisePart, WordPart, flat_parts

# The part of a date that says how late it is; the others give no warning.
DAYS = "days"

Ranges: TypeAlias = dict[str, tuple[float, float]]


class SeenValues:
    """The range of each number in training, and the values of each choice."""

    def __init__(self, data: StudentData) -> None:
        self._ranges: Ranges = {}
        self._choices: dict[str, frozenset[str]] = {}
        self._add_linear(data)
        if data.trees:
            self._add_inputs([*data.trees.inputs, *data.trees.unread])

    def _add_linear(self, data: LinearData) -> None:
        for name, part in flat_parts(data.parts):
            if isinstance(part, NumberPart | PiecewisePart):
                self._add_range(name, part)
            elif isinstance(part, WordPart):
                self._choices[name] = frozenset(part.names)

    def _add_inputs(self, inputs: list[NumberInput | ChoiceInput]) -> None:
        for one in inputs:
            if isinstance(one, NumberInput):
                self._add_range(one.name, one)
            elif one.rare is not None:
                self._choices[one.name] = frozenset((*one.names, *one.rare))

    def _add_range(self, name: str, number: NumberPart | PiecewisePart | NumberInput) -> None:
        _, _, part = name.partition(".")
        if part in {"", DAYS}:
            self._ranges[name] = number.low, number.high

    def warnings(self, inputs: Mapping[str, Value], values: Mapping[str, Value]) -> list[str]:
        """Return a warning for each value unlike those of training.

        That is a number or a date outside the range, and a choice that did not occur. `values` are
        the inputs with the parts of dates.
        """
        found: list[str] = []
        for name, limits in self._ranges.items():
            value = values[name]
            if value is not None and not limits[0] <= value <= limits[1]:  # type: ignore[operator]
                field, _, part = name.partition(".")
                found.append(_range_warning(field, inputs[field], float(value), limits, part))
        for name, seen in self._choices.items():
            value = inputs.get(name)
            # A boolean is no text, and a missing value needs no warning.
            if value not in seen and isinstance(value, str):
                found.append(f"{name}: {value!r} was not seen in training")
        return found


def _range_warning(
    field: str, shown: Value, value: float, limits: tuple[float, float], part: str
) -> str:
    is_below = value < limits[0]
    limit = limits[0] if is_below else limits[1]
    named = date_of_days(limit) if part else f"{limit:.15g}"
    side, extreme = ("below", "smallest") if is_below else ("above", "largest")
    return f"{field}: {shown} is {side} {named}, the {extreme} seen in training"
