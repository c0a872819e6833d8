"""What answers a configuration allows, and what is stored of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import EnricherError
from enrich.enrichers.llm.check import make_check
from enrich.enrichers.llm.schema import is_closed, read_schema


def fault(answer: dict[str, Any], value: object) -> str:
    """Return why a value does not fit the short form of a schema."""
    return make_check(read_schema(answer, None).schema)(value)


@pytest.mark.parametrize(
    ("kind", "fits", "others"),
    [
        (["good", "bad"], ["good", "bad"], ["Good", "", 1, None, ["good"]]),
        ("text", ["", "é"], [1, None, True]),
        ("number", [1, 1.5, -2], ["1", True, None]),
        ("integer", [1, 0, 3.0], [1.5, "1", True, None]),
        ("boolean", [True, False], [1, 0, "true", None]),
        ("integer or null", [1, None], [1.5, "null"]),
        ("text or null", ["x", None], [0]),
        ({"type": "integer", "minimum": 1, "maximum": 5}, [1, 5], [0, 6, "1"]),
        ({"type": "array", "items": {"type": "string"}}, [[], ["a"]], [["a", 1], "a"]),
        ({"type": "string", "format": "date"}, ["2026-11-29"], ["29.11.2026", "2026-02-30"]),
    ],
)
def test_each_kind_of_member_takes_its_values_and_no_others(
    kind: object, fits: list[object], others: list[object]
) -> None:
    """A text that looks like a number is no number."""
    for value in fits:
        assert fault({"it": kind}, {"it": value}) == ""
    for value in others:
        assert fault({"it": kind}, {"it": value}).startswith("$.it")


def test_each_member_is_required_and_no_other_is_allowed() -> None:
    """The message names the member."""
    answer = {"mood": "text", "urgency": "integer"}
    assert "'mood' is a required property" in fault(answer, {"urgency": 1})
    assert "'why' was unexpected" in fault(answer, {"mood": "", "urgency": 1, "why": 1})
    assert "is not of type 'object'" in fault(answer, ["", 1])


def test_the_order_of_members_in_a_spec_does_not_matter() -> None:
    """The store returns them in any order, and the request must stay the same."""
    one = read_schema({"a": "text", "b": ["x"]}, None).schema
    other = read_schema({"b": ["x"], "a": "text"}, None).schema
    assert one["required"] == other["required"]
    assert one == other


def test_one_member_is_the_value_by_itself_and_several_are_an_object() -> None:
    """A teacher reads numbers and texts, and no objects."""
    assert read_schema({"mood": "text"}, None).value_of({"mood": "fine"}) == "fine"
    both = {"mood": "text", "urgency": "integer"}
    answer = {"mood": "fine", "urgency": 1}
    assert read_schema(both, None).value_of(answer) == answer
    full = {"type": "object", "properties": {"mood": {"type": "string"}}}
    assert read_schema(None, full).value_of({"mood": "fine"}) == {"mood": "fine"}
    assert read_schema(None, {"type": "array"}).value_of([1, 2.0]) == [1, 2.0]


@pytest.mark.parametrize(
    ("kind", "answered", "stored"),
    [
        ("integer", 3.0, 3),
        ("integer or null", 3.0, 3),
        ("integer or null", None, None),
        ("number", 3.0, 3.0),
        ({"type": ["integer", "number"]}, 3.0, 3.0),
        ("integer", 1e300, 1e300),
    ],
)
def test_an_integer_is_stored_as_one_however_the_model_wrote_it(
    kind: object, answered: object, stored: object
) -> None:
    """A number that no float represents exactly stays as it is."""
    value = read_schema({"it": kind}, None).value_of({"it": answered})
    assert (value, type(value)) == (stored, type(stored))


def test_whether_a_schema_allows_other_members_is_known() -> None:
    """Services hold a model strictly to a schema that allows none."""
    assert is_closed(read_schema({"a": ["x"], "type": "text", "c": "number"}, None).schema)
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert not is_closed(inner)
    assert not is_closed(read_schema({"a": inner}, None).schema)
    assert not is_closed(read_schema({"a": {**inner, "type": ["object", "null"]}}, None).schema)
    assert not is_closed({"type": "string"})


@pytest.mark.parametrize(
    ("answer", "schema", "message"),
    [
        (None, None, "say what an answer has"),
        ({"a": "text"}, {"type": "object"}, "use one of the two"),
        ({}, None, "must be a table"),
        ("text", None, "must be a table"),
        (None, {}, "must be a table with a JSON schema"),
        (None, "object", "must be a table with a JSON schema"),
        ({"a": "string"}, None, r"config\.answer\.a: must be one of text, number, integer, bool"),
        ({"a": 1}, None, r"config\.answer\.a: must be one of"),
        ({"a": {}}, None, r"config\.answer\.a: must be one of"),
        ({"a": []}, None, r"config\.answer\.a: must list texts, each once"),
        ({"a": ["x", "x"]}, None, "must list texts, each once"),
        ({"a": ["x", 1]}, None, "must list texts, each once"),
        ({"a": ["x", ""]}, None, "must list texts, each once"),
        (None, {"$ref": "http://127.0.0.1:9/schema"}, r"config\.schema: \$ref .* must lead to"),
        (None, {"items": [{"$ref": "other.json"}]}, "must lead to"),
        ({"a": {"$ref": "#"}}, None, r"config\.answer\.a: \$ref"),
        (None, {"$id": "http://x.test/", "type": "object"}, r"\$id is not supported"),
        (None, {"type": "object", "required": True}, r"config\.schema: required must be a list"),
        (None, {"type": "object", "required": [{}]}, "required must be a list of names"),
        (None, {"anyOf": [{"properties": 5}]}, "properties must be a table"),
        ({"a": {"type": "object", "required": "b"}}, None, r"config\.answer\.a: required must be"),
        (None, {"$schema": "http://json-schema.org/draft-07/schema#"}, r"\$schema must be"),
        (None, {"$defs": {"a": {"$schema": "http://x.test/"}}}, r"\$schema must be .*2020-12"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_key(
    answer: object, schema: object, message: str
) -> None:
    """The message says what to write instead; nothing is fetched from anywhere."""
    with pytest.raises(EnricherError, match=message) as caught:
        read_schema(answer, schema)
    assert str(caught.value).isprintable()


def test_a_reference_within_the_schema_is_followed() -> None:
    """Schemas that programs write have them."""
    schema = {
        "$defs": {"mood": {"enum": ["good", "bad"]}},
        "type": "object",
        "properties": {"mood": {"$ref": "#/$defs/mood"}},
    }
    check = make_check(read_schema(None, schema).schema)
    assert check({"mood": "good"}) == ""
    assert check({"mood": "fine"}).startswith("$.mood: 'fine' is not one of")


@pytest.mark.parametrize(
    ("name", "target", "wrong"),
    [
        ("a b", "#/$defs/a%20b", "#/$defs/a%2520b"),
        ("a%20b", "#/$defs/a%2520b", "#/$defs/a%20b"),
        ("a/b", "#/$defs/a~1b", "#/$defs/a/b"),
        ("a~1b", "#/$defs/a~01b", "#/$defs/a~1b"),
        ("lost", "#/$defs/lost", "#/$defs/other"),
        ("x", "#/$defs/x", "#/type"),
    ],
)
def test_a_reference_that_leads_nowhere_is_found_before_any_call(
    name: str, target: str, wrong: str
) -> None:
    """It is resolved as it is when an answer is checked."""

    def schema(reference: str) -> dict[str, Any]:
        inner = {"$defs": {name: {"type": "string"}}, "properties": {"it": {"$ref": reference}}}
        return read_schema(None, {"type": "object", **inner}).schema

    assert make_check(schema(target))({"it": 1}).startswith("$.it")
    with pytest.raises(EnricherError, match=r"\$ref .* must lead to a part of config\.schema"):
        make_check(schema(wrong))


def test_what_a_reference_leads_to_must_be_a_schema() -> None:
    """Otherwise the first answer would show it, when it is paid for."""
    schema = {"default": {"minimum": "1"}, "properties": {"it": {"$ref": "#/default"}}}
    with pytest.raises(EnricherError, match="is no valid JSON schema: minimum: '1' is not"):
        make_check(read_schema(None, schema).schema)
    with pytest.raises(EnricherError, match=r"config\.schema: refers to itself without end"):
        make_check({"$ref": "#"})


def test_a_member_may_have_the_name_of_a_word_of_schemas() -> None:
    """It is a member all the same."""
    words = ("properties", "required", "$ref", "$schema", "format", "items", "type")
    check = make_check(read_schema(dict.fromkeys(words, "text"), None).schema)
    assert check(dict.fromkeys(words, "x")) == ""


@pytest.mark.parametrize("name", ["date-time", "uri", "time", "dates"])
def test_a_format_that_would_not_be_checked_is_refused(name: str) -> None:
    """The message names those that are."""
    schema = read_schema({"at": {"type": "string", "format": name}}, None).schema
    with pytest.raises(EnricherError, match=rf"config\.answer: the format '{name}' .* date, email"):
        make_check(schema, "answer")


@pytest.mark.parametrize(
    "schema", [{"type": "texts"}, {"pattern": "("}, {"required": "a"}, {"minimum": "1"}]
)
def test_an_invalid_schema_is_refused(schema: dict[str, Any]) -> None:
    """The message names the part."""
    [name] = schema
    with pytest.raises(EnricherError, match=rf"config\.schema: is no valid JSON schema: {name}: "):
        make_check(schema)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_whatever_fits_can_be_stored(value: object) -> None:
    """A value of any other kind is refused."""
    answer = {"it": "number or null"}
    if not fault(answer, {"it": value}) and value == value:  # noqa: PLR0124  not NaN
        json.dumps(read_schema(answer, None).value_of({"it": value}))
        assert value is None or isinstance(value, float)
