"""The form to try a dataset's model, made from its spec, and the prediction it returns."""

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
    "done": "predicted by the teacher",
    "queued": "queued: a worker will compute the teacher's prediction",
    "off": "predicted by the student; the input was not stored, so the teacher will not see it",
}


@dataclass(frozen=True)
class FormField:
    """A form field; `least` and `most` limit a number, `most` the length of a text."""

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
        """The type of the input element: a number input would show a non-numeric value as empty."""
        try:
            float(self.value or 0)
        except ValueError:
            return "text"
        return "number"


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
        yield _form_field(name, field, as_text(inputs.get(name, "")))


def _form_field(name: str, field: Field, value: str) -> FormField:
    label = f"{field.title or name}{'' if field.default is None else ' (optional)'}"
    common: dict[str, Any] = {
        "name": name,
        "label": label,
        "value": value,
        "required": field.default is None,
    }
    if isinstance(field, TextField):
        return FormField(kind="textarea", most=field.max_length, **common)
    if isinstance(field, ChoiceField | BooleanField):
        options = field.choices if isinstance(field, ChoiceField) else ("true", "false")
        empty = () if field.default is None else ("",)
        return FormField(kind="select", options=(*empty, *options), **common)
    step = "1" if isinstance(field, IntegerField) else "any"
    return FormField(kind="number", step=step, least=field.min, most=field.max, **common)


def link_text(inputs: Mapping[str, object]) -> str:
    """Return the values of inputs as the text of a link, shortened to LONG_TEXT characters."""
    text = ", ".join(as_text(value) for value in inputs.values())
    return text if len(text) <= LONG_TEXT else f"{text[: LONG_TEXT - 1]}…"
