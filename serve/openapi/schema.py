"""OpenAPI schemas of inputs, predictions and problems."""

from __future__ import annotations

from dataclasses import fields

from db.ingestion.row import RowCounts
from db.spec.dataset_spec import DatasetSpec
from serve.api.query import MOST_ITEMS

from .field_schema import (
    MISSING,
    Document,
    describe,
    example_label,
    field_schema,
    row_id_schema,
    target_schema,
)

# An example of a row id.
ROW_ID = "17"
MOST_KEY_CHARACTERS = 200


def inputs_schema(spec: DatasetSpec) -> Document:
    """Return the schema of what is asked: a dataset's inputs, or the id of a row."""
    ids = {spec.id: row_id_schema()} if spec.id else {}
    inputs = _object(_properties(spec) | ids, spec.required) | _some_value(spec, ids)
    example = {"example": spec.example_inputs()}
    if not ids:
        return inputs | example
    return {"anyOf": [inputs, _object(ids, tuple(ids))]} | example


def row_schema(spec: DatasetSpec) -> Document:
    """Return the schema of a row that is added: inputs, the label, and the row id if there is one.

    At least one field must have a value, even if all are optional.
    """
    ids = {spec.id: row_id_schema()} if spec.id else {}
    others = ids | {spec.target: target_schema(spec)}
    row = _object(_properties(spec) | others, (*ids, *spec.required)) | _some_value(spec, others)
    label = {spec.target: example_label(spec)}
    return row | {"example": dict.fromkeys(ids, ROW_ID) | spec.example_inputs() | label}


def needs_some_value(spec: DatasetSpec) -> bool:
    """Return whether no single field must be given, but at least one of them."""
    return all(field.optional and field.default is None for field in spec.fields.values())


def _some_value(spec: DatasetSpec, others: Document) -> Document:
    """Return keywords that refuse an object whose fields are all missing, whatever else it has."""
    if not needs_some_value(spec):
        return {}
    rest: Document = {"properties": {name: {} for name in others}} if others else {}
    return {"minProperties": 1, "not": rest | {"additionalProperties": MISSING}}


def _object(properties: Document, required: tuple[str, ...]) -> Document:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _properties(spec: DatasetSpec) -> Document:
    described = ((name, field, describe(field)) for name, field in spec.fields.items())
    return {
        name: field_schema(field) | ({"description": words} if words else {})
        for name, field, words in described
    }


def choice(name: str, schema: Document, description: str) -> Document:
    """Return an optional query parameter."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def array_body(items: Document) -> Document:
    """Return the request body for a JSON array of items."""
    schema = {"type": "array", "maxItems": MOST_ITEMS, "items": items}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def reference(name: str) -> Document:
    """Return a reference to one of the document's schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_response(schema: Document, description: str) -> Document:
    """Return a response with a JSON body."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def problem_response(description: str) -> Document:
    """Return a response with a problem document."""
    content = {"application/problem+json": {"schema": reference("Problem")}}
    return {"description": description, "content": content}


def prediction_responses(schema: str) -> Document:
    """Return the responses of a route that predicts."""
    return {"200": json_response({"$ref": schema}, "The prediction."), **REFUSALS}


REFUSALS: Document = {
    "4XX": problem_response("The request is invalid; the detail says why and what to send."),
    "503": problem_response("There is no model yet, or the server is overloaded; try again later."),
}
# What each count says; see RowCounts.
_COUNTS = {
    "added": "Rows that are new.",
    "corrected": "Rows whose inputs or label differ from before.",
    "unchanged": "Rows that were there already.",
    "repeated": "Rows with the id of an earlier row of the same request.",
    "removed": "Earlier rows with the same inputs that these rows replace.",
    "records": "Records that are new; rows with the same inputs are one record.",
}
ADDED: Document = {
    "type": "object",
    "required": [count.name for count in fields(RowCounts)],
    "properties": {
        count.name: {"type": "integer", "minimum": 0, "description": _COUNTS[count.name]}
        for count in fields(RowCounts)
    },
}
PREDICTION: Document = {
    "type": "object",
    "required": ["dataset", "prediction", "source", "model", "enrichment", "warnings"],
    "properties": {
        "dataset": {"type": "string"},
        "prediction": {"type": ["string", "number"]},
        "probabilities": {
            "type": "object",
            "description": "Probabilities by label, the most likely first; not for regressions.",
            "additionalProperties": {"type": "number"},
        },
        "interval": {
            "type": "array",
            "description": "Both ends of the interval that holds the truth in nine of ten cases;"
            " only for regressions.",
            "items": {"type": "number"},
            "minItems": 2,
            "maxItems": 2,
            "example": [812.0, 1043.0],
        },
        "source": {"enum": ["teacher", "student"]},
        "model": {"type": "string"},
        "enrichment": {"enum": ["done", "queued", "off"]},
        "warnings": {"type": "array", "items": {"type": "string"}},
        "explanation": {
            "description": "Only in answers to a POST with `explain=true`.",
            "$ref": "#/components/schemas/Explanation",
        },
    },
}
PROBLEM: Document = {
    "type": "object",
    "required": ["status", "title", "detail"],
    "properties": {
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
        "example": {},
        "problems": {"type": "array"},
    },
}
IDEMPOTENCY_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A text of your choice, new for each request. With it the rows are added beside"
    " those that are there, once: the same request again changes nothing and gets the same counts.",
    "schema": {"type": "string", "maxLength": MOST_KEY_CHARACTERS},
}


def ready_schema() -> Document:
    """Return the schema of what /readyz answers."""
    text = {"type": "string"}
    fault = {
        "type": "object",
        "properties": {
            "dataset": text,
            "subject": {**text, "description": "An enricher, a step or a command."},
            "reason": {**text, "description": "Left out where records need a key."},
        },
        "required": ["dataset", "subject"],
    }
    faults = {"type": "array", "items": fault, "description": "What is stopped, if anything."}
    return {"type": "object", "properties": {"status": text, "faults": faults}}
