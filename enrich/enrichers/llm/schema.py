"""Schemas of answers: the short form, the checks of both forms, and the check of an answer.

A spec says what an answer has, such as `answer = { mood = ["good", "bad"], urgency = "integer" }`,
or gives a JSON schema as `schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.errors import EnricherError

KINDS = {"text": "string", "number": "number", "integer": "integer", "boolean": "boolean"}
OR_NULL = " or null"
# They would make a schema depend on other documents, or on where in the schema they stand.
NOT_SUPPORTED = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor")
# A float represents every integer up to here.
EXACT = 2**53

# Returns why an answer does not fit, "" if it does.
Check = Callable[[Any], str]


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
        _check_references("schema", schema)
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
        _check_references(f"answer.{name}", kind)
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


def _check_references(key: str, schema: Mapping[str, Any]) -> None:
    """Raise EnricherError for a reference that leads out of the schema or to nothing."""
    for table in _tables(schema):
        for word in NOT_SUPPORTED:
            if isinstance(table.get(word), str):
                raise EnricherError(f"config.{key}: {word} is not supported; remove it")
        target = table.get("$ref")
        if isinstance(target, str) and not (key == "schema" and _leads_somewhere(schema, target)):
            raise EnricherError(
                f"config.{key}: $ref {target[:80]!r} must lead to a part of config.schema,"
                " such as #/$defs/NAME"
            )


def _leads_somewhere(schema: object, target: str) -> bool:
    start, *steps = target.split("/")
    for step in steps:
        if not isinstance(schema, Mapping) or step not in schema:
            return False
        schema = schema[step]
    return start == "#" and isinstance(schema, Mapping)


def _tables(schema: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        yield schema
        for part in schema.values():
            yield from _tables(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from _tables(part)


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Return whether each object has exactly the members that the schema names.

    Services hold a model strictly only to such a schema.
    """
    return "object" in _kinds(schema) and all(
        table.get("additionalProperties") is False
        and set(table.get("required", ())) == set(table.get("properties", ()))
        for table in _tables(schema)
        if "object" in _kinds(table)
    )


def make_check(schema: Mapping[str, Any]) -> Check:
    """Return the check of answers; raises EnricherError for a schema that is not valid."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  an extra package
    from jsonschema.exceptions import SchemaError, best_match  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.path)) or "it"
        raise EnricherError(
            f"config.schema: is no valid JSON schema: {where}: {error.message[:150]}"
        ) from None
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def check(answer: Any) -> str:  # noqa: ANN401
        error = best_match(validator.iter_errors(answer))
        return f"{error.json_path}: {error.message}" if error else ""

    return check
