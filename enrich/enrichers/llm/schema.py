"""Schemas of answers: the short form, and what both forms may have.

A spec says what an answer has, such as `answer = { mood = ["good", "bad"], urgency = "integer" }`,
or gives a JSON schema as `schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.errors import EnricherError

KINDS = {"text": "string", "number": "number", "integer": "integer", "boolean": "boolean"}
OR_NULL = " or null"
# They would make a schema depend on other documents, or on where in the schema they stand.
NOT_SUPPORTED = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor")
# The words of a schema that have a schema, a list of schemas, or schemas by name.
ONE_SCHEMA = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
        *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
    }
)
SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
SCHEMAS_BY_NAME = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A float represents every integer up to here.
EXACT = 2**53


@dataclass(frozen=True)
class AnswerSchema:
    """The JSON schema of answers; `only` is the member that is the value by itself, if any."""

    schema: dict[str, Any]
    only: str = ""

    def value_of(self, answer: Any) -> Any:  # noqa: ANN401
        """Return the value to store of an answer that fits the schema."""
        value = _with_integers(answer, self.schema)
        return value[self.only] if self.only else value


def _with_integers(answer: Any, schema: object) -> Any:  # noqa: ANN401
    """Return the answer with 3 in place of 3.0, which JSON Schema takes for an integer too."""
    if not isinstance(schema, Mapping):
        return answer
    if isinstance(answer, dict):
        members = schema.get("properties", {})
        return {name: _with_integers(item, members.get(name)) for name, item in answer.items()}
    if isinstance(answer, float) and "number" not in _kinds(schema) and abs(answer) <= EXACT:
        return int(answer) if "integer" in _kinds(schema) else answer
    return answer


def _kinds(schema: Mapping[str, Any]) -> Sequence[Any]:
    kind = schema.get("type", ())
    return kind if isinstance(kind, list | tuple) else [kind]


def read_schema(answer: object, schema: object) -> AnswerSchema:
    """Return the schema of a configuration, which has either `answer` or `schema`."""
    if (answer is None) == (schema is None):
        raise EnricherError(
            'config.answer: say what an answer has, such as { mood = ["good", "bad"] };'
            " or give a JSON schema as config.schema; use one of the two"
        )
    if schema is not None:
        if not isinstance(schema, Mapping) or not schema:
            raise EnricherError("config.schema: must be a table with a JSON schema")
        _check_schema("schema", schema)
        return AnswerSchema(dict(schema))
    if not isinstance(answer, Mapping) or not answer:
        raise EnricherError('config.answer: must be a table, such as { mood = ["good", "bad"] }')
    members = {name: _member(name, kind) for name, kind in answer.items()}
    # The store returns a spec's keys in any order.
    names = sorted(members)
    closed = {"type": "object", "required": names, "additionalProperties": False}
    return AnswerSchema({**closed, "properties": members}, names[0] if len(names) == 1 else "")


def _member(name: str, kind: object) -> dict[str, Any]:
    """Return the schema of a member: one of some texts, a kind, or a JSON schema of its own."""
    if isinstance(kind, Mapping) and kind:
        _check_schema(f"answer.{name}", kind)
        return dict(kind)
    if isinstance(kind, list | tuple):
        texts = [text for text in kind if isinstance(text, str) and text]
        if texts and len(set(texts)) == len(kind):
            return {"type": "string", "enum": texts}
        raise EnricherError(f"config.answer.{name}: must list texts, each once")
    plain = kind.removesuffix(OR_NULL) if isinstance(kind, str) else ""
    if plain not in KINDS:
        raise EnricherError(
            f"config.answer.{name}: must be one of {', '.join(KINDS)} (perhaps with{OR_NULL}),"
            " a list of texts, or a table with a JSON schema"
        )
    return {"type": KINDS[plain] if plain == kind else [KINDS[plain], "null"]}


def _check_schema(key: str, schema: Mapping[str, Any]) -> None:
    """Raise EnricherError for a schema that no request can be made with."""
    _check_references(key, schema)
    for table in subschemas(schema):
        if not isinstance(table.get("properties", {}), Mapping):
            raise EnricherError(f"config.{key}: properties must be a table of schemas by name")
        names = table.get("required", ())
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise EnricherError(f"config.{key}: required must be a list of names")
        dialect = table.get("$schema", DIALECT)
        if not isinstance(dialect, str) or dialect.removesuffix("#") != DIALECT:
            raise EnricherError(f"config.{key}: $schema must be {DIALECT!r}; write the schema so")


def _check_references(key: str, schema: Mapping[str, Any]) -> None:
    """Raise EnricherError for a reference that leads out of the schema."""
    for table in tables(schema):
        for word in NOT_SUPPORTED:
            if isinstance(table.get(word), str):
                raise EnricherError(f"config.{key}: {word} is not supported; remove it")
        target = table.get("$ref")
        if isinstance(target, str) and not (key == "schema" and target.startswith("#")):
            raise wrong_reference(key, target)


def wrong_reference(key: str, target: str) -> EnricherError:
    """Return the error to raise for a reference that does not lead to a schema."""
    return EnricherError(
        f"config.{key}: $ref {target[:80]!r} must lead to a part of config.schema that is a schema,"
        " such as #/$defs/NAME"
    )


def tables(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield each table in a schema, whatever it means there."""
    if isinstance(value, Mapping):
        yield value
        for part in value.values():
            yield from tables(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tables(part)


def subschemas(schema: object) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and each schema in it, and no other table, such as one of an enum."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for word, part in schema.items():
        inner: Sequence[object] = ()
        if word in ONE_SCHEMA:
            inner = [part]
        elif word in SCHEMAS and isinstance(part, list | tuple):
            inner = part
        elif word in SCHEMAS_BY_NAME and isinstance(part, Mapping):
            inner = list(part.values())
        for one in inner:
            yield from subschemas(one)


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Return whether each object has exactly the members that the schema names.

    Services hold a model strictly only to such a schema.
    """
    return "object" in _kinds(schema) and all(
        table.get("additionalProperties") is False
        and set(table.get("required", ())) == set(table.get("properties", ()))
        for table in subschemas(schema)
        if "object" in _kinds(table)
    )
