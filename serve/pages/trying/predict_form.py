"""The form to try a dataset's model, made from its spec, and the prediction it returns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from db.scoring.response_body import Answer
from db.spec.dataset_spec import DatasetSpec
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
    is_required,
)
from serve.api.query import as_text
from serve.pages.formatting import (
    decimals_for,
    field_title,
    interval_decimals,
    number,
    signed,
    usual_decimals,
)
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark
from serve.prediction.explanation import LOG_ODDS, ExplanationBody, ReasonBody

# The words of a badge.
SOURCES = (mark("teacher"), mark("student"))
LONG_TEXT = 60
# A longer list of suggestions slows the page and helps nobody.
MOST_SUGGESTIONS = 200
# As many reasons as a reader takes in; an explanation has more.
SHOWN_REASONS = 6

Kind: TypeAlias = Literal["select", "textarea", "input"]

# The values that an input of each type can show; it shows any other as empty.
_SHOWN = {
    "number": re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "datetime-local": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?"),
}
# By source and enrichment.
_STATUS = {
    ("teacher", "done"): mark("predicted by the teacher"),
    ("teacher", "queued"): mark("predicted by the teacher; a worker will enrich the input"),
    ("teacher", "off"): mark("predicted by the teacher; the input was not stored"),
    ("student", "queued"): mark("queued: a worker will compute the teacher's prediction"),
    ("student", "off"): mark(
        "predicted by the student; the input was not stored, so the teacher will not see it"
    ),
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
class ReasonRow:
    """One reason as the form shows it."""

    field: str
    shown: str
    amount: str


@dataclass(frozen=True)
class ReasonTable:
    """The strongest reasons as the form shows them; `rest` is the amount of others, "" if none.

    `answered` is the answer, "" if that is the total. All numbers have `digits` decimals.
    """

    title: str
    base: str
    rows: list[ReasonRow]
    rest: str
    total: str
    answered: str
    digits: int


@dataclass(frozen=True)
class FormResult:
    """A prediction as the form shows it; `key` is that of its record, "" if there is none."""

    answer: Answer
    key: str
    path: str
    reasons: ReasonTable | None

    @property
    def headline(self) -> str:
        """The label, or the number with the decimals of its interval and reasons."""
        prediction = self.answer.prediction
        return prediction if isinstance(prediction, str) else number(prediction, self.digits)

    @property
    def digits(self) -> int:
        """The decimals of a number, of its interval and of its reasons."""
        return self.reasons.digits if self.reasons else _decimals(self.answer)

    @property
    def bars(self) -> list[tuple[str, float]]:
        """The labels with their probabilities, most likely first."""
        probabilities = self.answer.probabilities
        return list(probabilities.items()) if isinstance(probabilities, dict) else []

    @property
    def status(self) -> str:
        """A phrase that says where the prediction comes from, and what happens next."""
        return _(_STATUS[self.answer.source, self.answer.enrichment])

    @property
    def is_provisional(self) -> bool:
        """Whether a teacher's prediction will follow."""
        return (self.answer.source, self.answer.enrichment) == ("student", "queued")


def reason_table(explanation: ExplanationBody, spec: DatasetSpec, answer: Answer) -> ReasonTable:
    """Return an explanation as the form shows it next to an answer."""
    shown = [reason for reason in explanation.reasons if reason.amount][:SHOWN_REASONS]
    raised, digits = _raised(explanation), _decimals(answer, _deciding_size(explanation))
    rest = explanation.total - explanation.base - sum(reason.amount for reason in shown)
    has_rest = abs(rest) >= 0.5 * 10**-digits
    return ReasonTable(
        title=_reasons_title(explanation, answer.source),
        base=number(explanation.base, digits),
        rows=[
            ReasonRow(
                field_title(spec, reason.field),
                _shown_value(reason, spec),
                signed(reason.amount, digits),
            )
            for reason in shown
        ],
        rest=signed(rest, digits) if has_rest else "",
        total=number(explanation.total, digits),
        answered="" if raised is None else number(raised, digits),
        digits=digits,
    )


def _raised(explanation: ExplanationBody) -> float | None:
    """Return the lowest answer if it was given since the total is below it."""
    answer = explanation.prediction
    return answer if isinstance(answer, float) and answer > explanation.total else None


def _deciding_size(explanation: ExplanationBody) -> float:
    """Return the largest amount, 0 for a number that decides on the decimals by itself."""
    if isinstance(explanation.prediction, float) and _raised(explanation) is None:
        return 0.0
    return max((abs(reason.amount) for reason in explanation.reasons), default=0.0)


def _decimals(answer: Answer, size: float = 0.0) -> int:
    """Return the decimals of a number and its interval; those of a size if neither decides."""
    value, interval = answer.prediction, answer.interval
    if isinstance(value, str):
        return decimals_for(size)
    if not isinstance(interval, tuple):
        return usual_decimals(value)
    has_width = interval[0] < interval[1]
    return max(interval_decimals(interval, value), 0 if has_width else decimals_for(size))


def _reasons_title(explanation: ExplanationBody, source: str) -> str:
    title = _question(explanation)
    if explanation.source == source:
        return title
    return _("The student’s reasons. {title}").format(title=title)


def _question(explanation: ExplanationBody) -> str:
    if explanation.unit != LOG_ODDS:
        return _("How the {target} comes about").format(target=explanation.unit)
    if not explanation.over:
        return _("Why {label}, in logarithms of odds").format(label=explanation.prediction)
    return _("Why {label} rather than {other}, in logarithms of odds").format(
        label=explanation.prediction, other=explanation.over
    )


def _shown_value(reason: ReasonBody, spec: DatasetSpec) -> str:
    if isinstance(reason.word, str):
        return reason.word
    if reason.value is None:
        return _("missing")
    if isinstance(spec.fields[reason.field], TextField):
        return _("the text as a whole")
    return _shortened(as_text(reason.value))


def form_fields(spec: DatasetSpec, inputs: Mapping[str, object]) -> Iterator[FormField]:
    """Yield a field for each input of a dataset, filled with the given inputs."""
    for name, field in spec.fields.items():
        # A query may name a field by its column.
        value = inputs.get(name, inputs.get(field.column) if field.column else None)
        yield _form_field(name, field, as_text(value))


def _form_field(name: str, field: Field, value: str) -> FormField:
    required, label = is_required(field), field.title or name
    common: dict[str, Any] = {
        "name": name,
        "label": label if required else _("{field} (optional)").format(field=label),
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
    return _shortened(
        ", ".join(as_text(value) for value in inputs.values() if value is not None) or "–"
    )


def _shortened(text: str) -> str:
    return text if len(text) <= LONG_TEXT else f"{text[: LONG_TEXT - 1]}…"
