"""Tests of the OpenAPI schemas: what they promise is accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import partial
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import InputError
from db.ingestion.row import RowCounts
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    DateField,
    DatetimeField,
    Field,
    IntegerField,
    NumberField,
    TextField,
)
from db.spec.validation import read_value
from serve.openapi.document import openapi_document
from serve.openapi.field_schema import (
    DATE_PATTERN,
    MISSING,
    Document,
    describe,
    field_schema,
    parameter,
    row_id_schema,
    target_schema,
)
from serve.openapi.schema import inputs_schema

FIELDS: dict[str, Field] = {
    "text": TextField(max_length=20),
    "optional text": TextField(max_length=20, optional=True),
    "text with a word for missing": TextField(max_length=20, missing=("NA",)),
    "strict choice": ChoiceField(choices=("red", "blue"), strict=True),
    "optional strict choice": ChoiceField(
        choices=("red", "blue"), strict=True, optional=True, missing=("NA",)
    ),
    "open choice": ChoiceField(choices=("red", "blue")),
    "choice without a list": ChoiceField(optional=True),
    "number": NumberField(),
    "number with limits": NumberField(min=-5, max=2.5),
    "number with a default": NumberField(default=1.0),
    "number with a sentinel": NumberField(missing=("-200", "?")),
    "optional number with a sentinel": NumberField(missing=("-200", "?"), optional=True),
    "dollars": NumberField(format="$1,234.5", min=0),
    "euros": NumberField(format="1.234,5 €", min=-0.5, max=10**10),
    "euros without a sign": NumberField(format="1.234,5", optional=True),
    "litres": NumberField(format="1 234.5 l/100 (km)"),
    "few dollars": NumberField(format="$1,234.5", max=100),
    "integer": IntegerField(),
    "thousands": IntegerField(format="1.234,5"),
    "boolean": BooleanField(),
    "optional boolean": BooleanField(optional=True),
    "date": DateField(),
    "date of the day first": DateField(order="DMY", optional=True),
    "date in seconds": DateField(order="epoch"),
    "datetime": DatetimeField(),
    "datetime in seconds": DatetimeField(order="epoch", default="2024-01-31T08:00:00"),
}


def promised(schema: Document) -> st.SearchStrategy[Any]:
    """Return the values that a schema allows; only keywords of our schemas are known."""
    if "anyOf" in schema:
        return st.one_of([promised(option) for option in schema["anyOf"]])
    names = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type")]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    values = st.one_of([_of_type(name, schema) for name in names])
    refused = schema.get("not", {}).get("enum", [])
    return values.filter(lambda value: value not in refused)


def _of_type(name: str | None, schema: Document) -> st.SearchStrategy[Any]:
    if name == "string":
        return _texts(schema)
    if name == "integer":
        step = schema.get("multipleOf", 1)
        limits = ceil(schema["minimum"] / step), floor(schema["maximum"] / step)
        return st.integers(*limits).map(lambda number: number * step)
    if name == "number":
        return st.floats(schema["minimum"], schema["maximum"])
    return st.booleans() if name == "boolean" else st.none()


def _texts(schema: Document) -> st.SearchStrategy[str]:
    if schema.get("format") == "date":
        return st.dates(date(1000, 1, 1), date(2999, 12, 31)).map(str)
    most = schema.get("maxLength", 10_000)
    # In JavaScript a dollar sign is the end alone; in Python it also matches before a last newline.
    pattern = schema["pattern"].removesuffix("$") + r"\Z"
    return st.from_regex(pattern).filter(lambda text: len(text) <= most)


def as_query(value: object) -> str:
    """Return a value as a client writes it in a query."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
@given(data=st.data())
def test_every_value_that_a_schema_allows_is_accepted(field: Field, data: st.DataObject) -> None:
    """In a body as JSON, and in a query as text."""
    read = partial(read_value, "field", field)
    assert is_accepted(read, data.draw(promised(field_schema(field))))
    asked = data.draw(promised(field_schema(field, in_query=True)))
    assert is_accepted(read, as_query(asked))


def is_accepted(read: Callable[[object], object], value: object) -> bool:
    """Return whether a value is accepted, or refused for what no schema can say."""
    try:
        read(value)
    except InputError as error:
        # NFC may lengthen a text, and more combining marks in a row than is sensible are refused.
        return "combining marks" in error.reason or "characters, more than" in error.reason
    return True


@given(day=st.dates(date(1000, 1, 1), date(2999, 12, 31)))
def test_the_pattern_of_dates_has_every_day(day: date) -> None:
    """A client that checks the pattern can send the 29th of February."""
    schema = field_schema(DateField())
    assert schema["format"] == "date"
    assert schema["pattern"] == DATE_PATTERN
    assert _fits(DATE_PATTERN, day.isoformat())


@pytest.mark.parametrize(
    "text", ["2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-1-1", "0000-01-01"]
)
def test_the_pattern_of_dates_has_no_day_that_does_not_exist(text: str) -> None:
    """What the pattern allows is accepted."""
    assert not _fits(DATE_PATTERN, text)


@pytest.mark.parametrize("text", ["2000-02-29", "2024-02-29", "2024-12-31"])
def test_the_pattern_of_dates_has_leap_days(text: str) -> None:
    """Years that 100 divides are leap years only if 400 divides them."""
    assert _fits(DATE_PATTERN, text)


def _fits(pattern: str, text: str) -> bool:
    return re.match(pattern, text) is not None


def test_a_schema_says_what_is_missing() -> None:
    """Null is for bodies; a query has empty values."""
    body = field_schema(IntegerField(optional=True, missing=("NA",)))["anyOf"]
    assert [option["type"] for option in body] == ["integer", ["string", "null"], "string"]
    assert body[2]["enum"] == ["NA"]
    query = field_schema(IntegerField(optional=True), in_query=True)["anyOf"]
    assert [option["type"] for option in query] == ["integer", "string"]
    assert _fits(query[1]["pattern"], "")
    assert not _fits(query[1]["pattern"], "a")


def test_a_required_value_is_not_one_that_means_missing() -> None:
    """The words and the numbers among them are excluded."""
    assert field_schema(NumberField(missing=("-200", "?")))["not"] == {
        "enum": ["-200", "?", -200.0]
    }


@pytest.mark.parametrize("is_optional", [False, True])
def test_only_a_strict_choice_has_an_enumeration(is_optional: bool) -> None:  # noqa: FBT001
    """Other choices show examples."""
    strict = field_schema(ChoiceField(choices=("red",), strict=True, optional=is_optional))
    choices = ChoiceField(choices=("red", "blue"), optional=is_optional)
    options = field_schema(choices).get("anyOf", [field_schema(choices)])
    assert strict.get("anyOf", [strict])[0]["enum"] == ["red"]
    assert (options[0]["examples"], "enum" in options[0]) == (["red", "blue"], False)


def test_a_text_with_the_columns_format_is_described_where_not_all_of_it_is_accepted() -> None:
    """A schema cannot say that "$99.5" is accepted and "$100.5" is not."""
    field = FIELDS["few dollars"]
    assert field_schema(field)["type"] == "number"
    assert "$1,234.5" in describe(field)
    assert [option["type"] for option in field_schema(FIELDS["dollars"])["anyOf"]] == [
        "number",
        "string",
    ]


def test_a_parameter_is_required_as_its_field_is() -> None:
    """A default or the mark `optional` makes it optional."""
    fields = TextField(), TextField(default="a"), TextField(optional=True)
    assert [parameter("a", field)["required"] for field in fields] == [True, False, False]
    assert parameter("a", TextField(), required=False)["required"] is False
    described = parameter("a", TextField(title="Note", column="The note", optional=True))
    assert described["description"] == (
        "Note. Its column's name is accepted too: The note. May be left out or empty"
    )


PEOPLE = DatasetSpec(
    name="people",
    kind="classification",
    target="answer",
    target_missing=("?",),
    id="number",
    id_column="No.",
    fields={"age": IntegerField(), "town": ChoiceField(choices=("Lille",), optional=True)},
)
MOODS = DatasetSpec(
    name="moods",
    kind="regression",
    target="mood",
    target_missing=("-1",),
    fields={"day": DateField(optional=True)},
)


@pytest.mark.parametrize("spec", [PEOPLE, MOODS], ids=["labels", "numbers"])
@given(data=st.data())
def test_every_label_and_row_id_that_a_schema_allows_is_accepted(
    spec: DatasetSpec, data: st.DataObject
) -> None:
    """A label may be missing."""
    assert is_accepted(spec.read_label, data.draw(promised(target_schema(spec))))
    assert is_accepted(PEOPLE.read_row_id, data.draw(promised(row_id_schema())))


@pytest.mark.parametrize("text", ["?", "NaN", " null ", "#N/A", "<na>"])
def test_a_schema_of_row_ids_allows_no_word_for_a_missing_one(text: str) -> None:
    """Such an id is refused."""
    assert not is_accepted(PEOPLE.read_row_id, text)
    pattern = row_id_schema()["pattern"]
    assert not re.search(pattern, text)
    assert re.search(pattern, f"{text}1")


def body_items(path: str) -> Document:
    """Return the schema of the items that a route takes."""
    content = openapi_document([PEOPLE, MOODS])["paths"][path]["post"]["requestBody"]["content"]
    items: Document = content["application/json"]["schema"]["items"]
    return items


def test_a_row_id_takes_the_place_of_all_inputs() -> None:
    """It may also stand beside them, so no parameter is required."""
    inputs, alone = body_items("/predict/people")["anyOf"]
    assert (inputs["required"], list(inputs["properties"])) == (["age"], ["age", "town", "number"])
    assert (alone["required"], list(alone["properties"])) == (["number"], ["number"])
    asked = openapi_document([PEOPLE])["paths"]["/predict/people"]["get"]
    assert {one["name"]: one["required"] for one in asked["parameters"]} == {
        "age": False,
        "town": False,
        "number": False,
    }
    assert "404" in asked["responses"]
    assert "No." in asked["parameters"][2]["description"]


def test_at_least_one_input_is_asked_for_where_all_are_optional() -> None:
    """A label, a row id or a missing value alone is not a row."""
    asked, added = body_items("/predict/moods"), body_items("/records/moods")
    assert (asked["minProperties"], added["minProperties"]) == (1, 1)
    assert asked["not"] == {"additionalProperties": MISSING}
    assert added["not"] == {"properties": {"mood": {}}, "additionalProperties": MISSING}
    assert "not" not in body_items("/records/people")


def test_a_default_is_a_value() -> None:
    """An object without members is then complete."""
    fields = {"a": TextField(optional=True), "b": TextField(default="c")}
    spec = DatasetSpec(name="notes", kind="regression", target="d", fields={**fields})
    assert inputs_schema(spec)["required"] == []
    assert "minProperties" not in inputs_schema(spec)
    assert spec.read_inputs({}) == {"a": None, "b": "c"}


def test_a_row_that_is_added_needs_its_id() -> None:
    """The label may be left out."""
    rows = body_items("/records/people")
    assert rows["required"] == ["number", "age"]
    assert set(rows["properties"]) == {"number", "age", "town", "answer"}
    assert rows["example"]["number"]


def test_the_counts_of_added_rows_are_documented() -> None:
    """Each has a description."""
    paths = openapi_document([PEOPLE, MOODS])["paths"]
    added = paths["/records/moods"]["post"]
    schema = added["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["required"] == list(RowCounts.__dataclass_fields__)
    assert all(count["description"] for count in schema["properties"].values())
    (key,) = added["parameters"]
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", False)
    assert "422" in added["responses"]


def test_a_listing_finds_a_row_by_its_id_where_rows_have_one() -> None:
    """Without an id the parameter would be refused."""
    paths = openapi_document([PEOPLE, MOODS])["paths"]
    names = {
        name: [one["name"] for one in paths[f"/records/{name}"]["get"]["parameters"]]
        for name in ("people", "moods")
    }
    assert names["people"] == [*names["moods"], "row"]
