"""The form to try a dataset's model, made from its spec, and the prediction it returns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from db.scoring.response_body import Answer
from db.spec.dataset_spec import DatasetSpec, is_required
from db.spec.field import (
    MAX_CHOICE_CHARACTERS,
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    IntegerField,
    NumberField,
    TextField,
)
from serve.api.query import as_text

LONG_TEXT = 60
# A longer list of suggestions slows the page and helps nobody.
MOST_SUGGESTIONS = 200
# On the dashboard, a form with more fields is closed at first.
MANY_FIELDS = 24

Kind: TypeAlias = Literal["select", "textarea", "input"]

# The values that an input of each type can show; it shows any other as empty.
_SHOWN = {
    "number": re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "datetime-local": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?"),
}
_STATUS = {
    "done": "predicted by the teacher",
    "queued": "queued: a worker will compute the teacher's prediction",
    "off": "predicted by the student; the input was not stored, so the teacher will not see it",
}


@dataclass(frozen=True)
class FormField:
    """A form field; `least` and `most` limit a number or a date, `longest` the length of a text.

    `options` are those of a select, and the suggestions for an input.
    """

    name: str
    label: str
    kind: Kind
    value: str
    required: bool
    options: tuple[str, ...] = ()
    preferred_type: str = "text"
    step: str = ""
    least: str = ""
    most: str = ""
    longest: int | None = None

    @property
    def type(self) -> str:
        """The type of the input element: text if the preferred one would not show the value."""
        shown = _SHOWN.get(self.preferred_type)
        is_shown = not self.value or (shown is not None and shown.fullmatch(self.value))
        return self.preferred_type if is_shown else "text"


@dataclass(frozen=True)
class FormResult:
    """A prediction as the form shows it."""

    answer: Answer
    key: str
    path: str

    @property
    def bars(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, most likely first."""
        probabilities = self.answer.probabilities
        return list(probabilities.items()) if isinstance(probabilities, dict) else []

    @property
    def status(self) -> str:
        """A phrase that says where the prediction comes from, and what happens next."""
        return _STATUS[self.answer.enrichment]


def form_fields(spec: DatasetSpec, inputs: Mapping[str, object]) -> Iterator[FormField]:
    """Yield a field for each input of a dataset, filled with the given inputs."""
    for name, field in spec.fields.items():
        # A query may name a field by its column.
        value = inputs.get(name, inputs.get(field.column) if field.column else None)
        yield _form_field(name, field, as_text(value))


def _form_field(name: str, field: Field, value: str) -> FormField:
    required = is_required(field)
    common: dict[str, Any] = {
        "name": name,
        "label": f"{field.title or name}{'' if required else ' (optional)'}",
        "value": value,
        "required": required,
    }
    match field:
        case TextField():
            return FormField(kind="textarea", longest=field.max_length, **common)
        case ChoiceField(strict=False):
            suggestions = field.choices[:MOST_SUGGESTIONS]
            longest = MAX_CHOICE_CHARACTERS
            return FormField(kind="input", options=suggestions, longest=longest, **common)
        case ChoiceField():
            return FormField(kind="select", options=_options(field, field.choices, value), **common)
        case BooleanField():
            options = _options(field, ("true", "false"), value)
            return FormField(kind="select", options=options, **common)
        case NumberField() | IntegerField():
            return FormField(kind="input", **_number(field), **common)
        case DateField() | DatetimeField():
            return FormField(kind="input", **_date(field), **common)


def _options(field: Field, options: tuple[str, ...], value: str) -> tuple[str, ...]:
    """Return the options of a select: those of the field, none, and an invalid value as it is."""
    empty = () if is_required(field) else ("",)
    other = (value,) if value and value not in options else ()
    return (*empty, *options, *other)


def _number(field: NumberField | IntegerField) -> dict[str, Any]:
    step = "1" if isinstance(field, IntegerField) else "any"
    limits = {"least": field.min, "most": field.max}
    return {
        "preferred_type": "number",
        "step": step,
        **{name: as_text(limit) for name, limit in limits.items()},
    }


def _date(field: DateField | DatetimeField) -> dict[str, Any]:
    if field.order == "epoch":
        # People have the number of seconds, which a date picker does not take.
        return {}
    if isinstance(field, DateField):
        return {"preferred_type": "date", "most": "9999-12-31"}
    # Without a step, browsers refuse a time with seconds.
    return {"preferred_type": "datetime-local", "most": "9999-12-31T23:59", "step": "any"}


def link_text(inputs: Mapping[str, object]) -> str:
    """Return the values of inputs as the text of a link, shortened to LONG_TEXT characters."""
    text = ", ".join(as_text(value) for value in inputs.values() if value is not None) or "–"
    return text if len(text) <= LONG_TEXT else f"{text[: LONG_TEXT - 1]}…"
