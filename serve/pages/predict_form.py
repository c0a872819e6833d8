"""Trials: a form made from a dataset's spec, and the answer to what was put into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from db.scoring.response_body import Answer
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import BooleanField, ChoiceField, Field, IntegerField, TextField
from serve.api.query import as_text

LONG_TEXT = 60
_STATUS = {
    "done": "the teacher has answered this",
    "queued": "queued: the teacher answers when a worker has been",
    "off": "inputs are not remembered, so the teacher will not see this one",
}


@dataclass(frozen=True)
class FormField:
    """A field of a form; least and most are a number's limits, or a text's length."""

    name: str
    label: str
    kind: Literal["select", "textarea", "number"]
    value: str
    required: bool
    options: tuple[str, ...] = ()
    step: str = "any"
    least: float | None = None
    most: float | None = None

    @property
    def type(self) -> str:
        """How it is put in: a field of numbers would hide what is none."""
        try:
            float(self.value or 0)
        except ValueError:
            return "text"
        return "number"


@dataclass(frozen=True)
class FormResult:
    """An answer as a page shows it."""

    answer: Answer
    key: str
    path: str

    @property
    def bars(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, most likely first."""
        given = self.answer.probabilities
        return list(given.items()) if isinstance(given, dict) else []

    @property
    def status(self) -> str:
        """What becomes of the input."""
        return _STATUS[self.answer.enrichment]


def form_fields(spec: DatasetSpec, given: Mapping[str, object]) -> Iterator[FormField]:
    """Yield a form's fields, holding what was given."""
    for name, field in spec.fields.items():
        yield _form_field(name, field, as_text(given.get(name, "")))


def _form_field(name: str, field: Field, value: str) -> FormField:
    label = f"{field.title or name}{'' if field.default is None else ' (optional)'}"
    known: dict[str, Any] = {
        "name": name,
        "label": label,
        "value": value,
        "required": field.default is None,
    }
    if isinstance(field, TextField):
        return FormField(kind="textarea", most=field.max_length, **known)
    if isinstance(field, ChoiceField | BooleanField):
        options = field.choices if isinstance(field, ChoiceField) else ("true", "false")
        empty = () if field.default is None else ("",)
        return FormField(kind="select", options=(*empty, *options), **known)
    step = "1" if isinstance(field, IntegerField) else "any"
    return FormField(kind="number", step=step, least=field.min, most=field.max, **known)


def in_words(inputs: Mapping[str, object]) -> str:
    """Return inputs as a link shows them."""
    words = ", ".join(as_text(value) for value in inputs.values())
    return words if len(words) <= LONG_TEXT else f"{words[: LONG_TEXT - 1]}…"
