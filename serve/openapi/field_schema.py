"""OpenAPI schemas of values: what a request may send for a field, a row id and a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from db.spec.dataset_spec import (
    MAX_LABEL_CHARACTERS,
    MAX_ROW_ID_CHARACTERS,
    NO_ROW_ID,
    DatasetSpec,
)
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
    example_of,
    is_required,
)
from db.spec.normalization import LARGEST_WHOLE
from db.spec.number_format import parse_format
from db.spec.validation import LARGEST_NUMBER, missing_numbers

Document: TypeAlias = dict[str, Any]

# An example of the label of a regression.
EXAMPLE_NUMBER = 100.0
CONTROL = r"\u0000-\u0008\u000e-\u001f\u007f-\u009f"
# At least one character that is not white space, and no control characters.
TEXT_PATTERN = rf"^[^\S{CONTROL}]*[^\s{CONTROL}][^{CONTROL}]*$"
# A row id may not be a word that means "missing", such as NaN; patterns cannot ignore case.
_NO_ROW_ID = "|".join(
    "".join(f"[{c}{c.upper()}]" if c.isalpha() else f"[{c}]" for c in word)
    for word in sorted(NO_ROW_ID - {""})
)
ROW_ID_PATTERN = rf"^(?!\s*(?:{_NO_ROW_ID})\s*$){TEXT_PATTERN.removeprefix('^')}"
# White space alone means that an optional value is missing.
EMPTY_PATTERN = r"^[ \t-\r]*$"
MISSING: Document = {"type": ["string", "null"], "pattern": EMPTY_PATTERN}
# The longest list of examples; a column may have thousands of choices.
MOST_EXAMPLES = 20
_LARGEST_ROW_ID = 2**63 - 1
_DAY_SECONDS = 86_400
# The first second of the year 1, and the last one before numbers are read as milliseconds.
_EPOCH_SECONDS = -62_135_596_800, 10**11 - 1

# Every day from 1000 to 2999, as ISO 8601 writes it. Any part is at most a few characters long.
_LONG_MONTHS = r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTHS = r"(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
_FEBRUARY = r"02-(?:0[1-9]|1[0-9]|2[0-8])"
_LEAP_YEAR = r"(?:[12][0-9](?:0[48]|[2468][048]|[13579][26])|(?:1[26]|2[048])00)"
_DAY = rf"(?:[12][0-9]{{3}}-(?:{_LONG_MONTHS}|{_SHORT_MONTHS}|{_FEBRUARY})|{_LEAP_YEAR}-02-29)"
_HOUR = r"(?:[01][0-9]|2[0-3])"
_TIME = rf"{_HOUR}:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?(?:Z|[+-]{_HOUR}:[0-5][0-9])?"
DATE_PATTERN = f"^{_DAY}$"
DATETIME_PATTERN = f"^{_DAY}(?:[T ]{_TIME})?$"
# What is read as the day in 1/2/2024.
_ORDERS = {"DMY": "31/1/2024 (day, month, year)", "MDY": "1/31/2024 (month, day, year)"}


def parameter(name: str, field: Field, *, required: bool | None = None) -> Document:
    """Return the query parameter for a field, required as the field is if it is not said."""
    return {
        "name": name,
        "in": "query",
        "required": is_required(field) if required is None else required,
        "description": describe(field),
        "schema": field_schema(field, in_query=True),
        "example": example_of(field),
    }


def field_schema(field: Field, *, in_query: bool = False) -> Document:
    """Return the schema of what may be sent for a field; a query has no null."""
    options = list(_values(field, in_query=in_query))
    if is_required(field):
        _exclude(field.missing, options)
    else:
        options += _missing(field, in_query=in_query)
    schema = options[0] if len(options) == 1 else {"anyOf": options}
    return schema if field.default is None else schema | {"default": field.default}


def describe(field: Field) -> str:
    """Return what a person should know about a field that its schema does not say."""
    parts = [field.title]
    if field.column:
        parts.append(f"Its column's name is accepted too: {field.column}")
    if isinstance(field, NumberField | IntegerField) and field.format:
        parts.append(f"Text in the format of its column is accepted too: {field.format}")
    if isinstance(field, ChoiceField) and not field.strict:
        parts.append("Values that are not among the examples are accepted too")
    if isinstance(field, DateField | DatetimeField) and field.order in _ORDERS:
        parts.append(f"Dates in the order of its column are accepted too: {_ORDERS[field.order]}")
    if not is_required(field):
        parts.append("May be left out or empty")
    return ". ".join(part.rstrip(".") for part in parts if part)


def _values(field: Field, *, in_query: bool) -> Iterator[Document]:
    """Yield the schemas of values that are not missing."""
    match field:
        case TextField():
            yield _text(field.max_length)
        case ChoiceField():
            yield _choice(field)
        case BooleanField():
            yield {"type": "boolean"}
        case DateField() | DatetimeField():
            yield from _dates(field)
        case NumberField() | IntegerField():
            yield _number(field, in_query=in_query)
            if field.format and _takes_any_number(field):
                yield {"type": "string", "pattern": _format_pattern(field)}


def _text(most: int) -> Document:
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": TEXT_PATTERN}


def _choice(field: ChoiceField) -> Document:
    if field.strict:
        return {"type": "string", "enum": list(field.choices)}
    examples = list(field.choices[:MOST_EXAMPLES])
    return _text(MAX_CHOICE_CHARACTERS) | ({"examples": examples} if examples else {})


def _number(field: NumberField | IntegerField, *, in_query: bool) -> Document:
    # In a query, 1.234 is refused where the column's format is like 1.234,5.
    is_ambiguous = in_query and bool(field.format) and parse_format(field.format).group == "."
    is_whole = isinstance(field, IntegerField) or is_ambiguous
    largest = LARGEST_WHOLE - 1 if is_whole else LARGEST_NUMBER
    return {
        "type": "integer" if is_whole else "number",
        "minimum": -largest if field.min is None else max(field.min, -largest),
        "maximum": largest if field.max is None else min(field.max, largest),
    }


def _takes_any_number(field: NumberField | IntegerField) -> bool:
    """Return whether all numbers that `_format_pattern` can write are accepted."""
    has_room = (field.min or 0) <= 0 and (field.max is None or field.max >= 10**9)
    return has_room and not (is_required(field) and field.missing)


def _format_pattern(field: NumberField | IntegerField) -> str:
    """Return a pattern of numbers below 10^9 in a field's format.

    Decimals are always written, since in a format like 1.234,5 the text 1.234 has two meanings.
    """
    parsed = parse_format(field.format)
    decimals = "0" if isinstance(field, IntegerField) else "[0-9]{1,3}"
    group, mark = _escape(parsed.group), _escape(parsed.mark)
    # A group of thousands does not follow a zero.
    whole = f"(?:[0-9]{{1,3}}|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}}){{1,2}})"
    return f"^{_escape(parsed.before)}{whole}{mark}{decimals}{_escape(parsed.after)}$"


def _escape(text: str) -> str:
    # re.escape also escapes spaces and hyphens, which JavaScript refuses.
    return re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", text)


def _dates(field: DateField | DatetimeField) -> Iterator[Document]:
    is_day = isinstance(field, DateField)
    # The format date-time would demand a time zone, which most data do not have.
    yield {
        "type": "string",
        "pattern": DATE_PATTERN if is_day else DATETIME_PATTERN,
        **({"format": "date"} if is_day else {}),
        "examples": [example_of(field)],
    }
    if field.order == "epoch":
        first, last = _EPOCH_SECONDS
        yield {
            "type": "integer",
            "minimum": first,
            "maximum": last,
            "description": "Seconds since 1970, in UTC.",
            **({"multipleOf": _DAY_SECONDS} if is_day else {}),
        }


def _exclude(words: tuple[str, ...], options: list[Document]) -> None:
    """Take the words and numbers that mean "missing" out of the values that must be given."""
    if words:
        numbers = sorted(missing_numbers(words))
        options[:] = [option | {"not": {"enum": [*words, *numbers]}} for option in options]


def _missing(field: Field, *, in_query: bool) -> Iterator[Document]:
    yield MISSING | {"description": "Missing."} | ({"type": "string"} if in_query else {})
    if field.missing:
        yield {"type": "string", "enum": list(field.missing), "description": "Missing."}


def row_id_schema(*, in_query: bool = False) -> Document:
    """Return the schema of a row id: text, or a whole number in its place."""
    text = _text(MAX_ROW_ID_CHARACTERS) | {"pattern": ROW_ID_PATTERN}
    if in_query:
        return text
    limits = {"minimum": -_LARGEST_ROW_ID, "maximum": _LARGEST_ROW_ID}
    return text | {"type": ["string", "integer"]} | limits


def row_id_parameter(spec: DatasetSpec) -> Document:
    """Return the query parameter by which a row of the data is looked up."""
    column = f" Its column's name is accepted too: {spec.id_column}." if spec.id_column else ""
    return {
        "name": spec.id,
        "in": "query",
        "required": False,
        "description": f"The id of a row of the data, in place of its fields.{column}",
        "schema": row_id_schema(in_query=True),
    }


def example_label(spec: DatasetSpec) -> str | float:
    """Return a label that a row may have."""
    if spec.kind == "regression":
        return EXAMPLE_NUMBER
    return spec.labels[0] if spec.labels else "the right answer"


def target_schema(spec: DatasetSpec) -> Document:
    """Return the schema of a dataset's labels; null and "" mean that the label is not known."""
    limits = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
    if spec.kind == "regression":
        options: list[Document] = [
            {"type": ["number", "null"], **limits},
            {"type": "string", "pattern": EMPTY_PATTERN},
        ]
        if spec.target_missing:
            options.append({"type": "string", "enum": list(spec.target_missing)})
        return {"anyOf": options}
    if spec.labels:
        return {"enum": [*spec.labels, None, "", *spec.target_missing]}
    return {
        "type": ["string", "number", "boolean", "null"],
        "maxLength": MAX_LABEL_CHARACTERS,
        "pattern": f"^$|{TEXT_PATTERN}",
        **limits,
    }
