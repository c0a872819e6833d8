"""OpenAPI schemas of inputs, predictions, records and problems."""

from __future__ import annotations

from typing import Any, TypeAlias

from db.records.listing import MOST_ROWS, SHOWS
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    BooleanField,
    ChoiceField,
    Field,
    IntegerField,
    NumberField,
    TextField,
    example_of,
)
from db.spec.normalization import LARGEST_WHOLE
from db.spec.validation import LARGEST_NUMBER
from serve.api.query import MOST_ITEMS

Document: TypeAlias = dict[str, Any]

_CONTROL = r"\u0000-\u0008\u000e-\u001f\u007f-\u009f"
# At least one character that is not white space, and no control characters.
TEXT_PATTERN = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
_TYPES: dict[type, str] = {
    TextField: "string",
    ChoiceField: "string",
    BooleanField: "boolean",
    IntegerField: "integer",
    NumberField: "number",
}


def parameter(name: str, field: Field) -> Document:
    """Return the query parameter for a field."""
    return {
        "name": name,
        "in": "query",
        "required": field.default is None,
        "description": field.title,
        "schema": field_schema(field),
        "example": example_of(field),
    }


def field_schema(field: Field) -> Document:
    """Return the schema of a field's values."""
    limits: Document = {"type": _TYPES[type(field)]}
    if isinstance(field, TextField):
        limits |= {"minLength": 1, "maxLength": field.max_length, "pattern": TEXT_PATTERN}
    if isinstance(field, ChoiceField):
        limits["enum"] = list(field.choices)
    if isinstance(field, NumberField | IntegerField):
        largest = LARGEST_WHOLE if isinstance(field, IntegerField) else LARGEST_NUMBER
        limits["minimum"] = -largest if field.min is None else field.min
        limits["maximum"] = largest if field.max is None else field.max
    if field.default is not None:
        limits["default"] = field.default
    return limits


def inputs_schema(spec: DatasetSpec) -> Document:
    """Return the schema of a dataset's inputs."""
    return {
        "type": "object",
        "properties": {name: field_schema(field) for name, field in spec.fields.items()},
        "required": list(spec.required),
        "additionalProperties": False,
        "example": spec.example_inputs(),
    }


def target_schema(spec: DatasetSpec) -> Document:
    """Return the schema of a dataset's labels; null means that the label is not known."""
    if spec.kind == "regression":
        limits = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        return {"type": ["number", "null"], **limits}
    label: Document = {"type": ["string", "null"]}
    return label | ({"enum": [*spec.labels, None]} if spec.labels else {})


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
_COUNTS = ("created", "relabelled", "unchanged", "repeated", "contradicted")
ADDED: Document = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in _COUNTS},
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
        "source": {"enum": ["teacher", "student"]},
        "model": {"type": "string"},
        "enrichment": {"enum": ["done", "queued", "off"]},
        "warnings": {"type": "array", "items": {"type": "string"}},
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
_TEXT: Document = {"type": "string", "pattern": rf"^[^{_CONTROL}]*$"}
BY_ACCEPT = "The format of the response; by default, the header Accept decides."
LISTING_PARAMETERS = (
    ("show", {"enum": list(SHOWS)}, "Which records to list; by default, all."),
    ("label", _TEXT, "Only records with this label."),
    ("prediction", _TEXT, "Only records with this prediction."),
    ("group", _TEXT, "Only records of this group of near duplicates."),
    ("after", _TEXT, "The place where the previous page ended, from its `next`."),
    ("rows", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}, "The page size; 50 if none."),
    ("format", {"enum": ["json", "csv", "html"]}, BY_ACCEPT),
)

RECORD_KEY: Document = {
    "name": "key",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
RECORDS: Document = {
    "type": "object",
    "required": ["dataset", "records", "next"],
    "properties": {
        "dataset": {"type": "string"},
        "records": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "inputs", "label", "answer", "score"],
                "properties": {
                    "key": {"type": "string"},
                    "inputs": {"type": "object"},
                    "label": {"type": ["string", "null"]},
                    "origin": {"enum": ["import", "api", "request"]},
                    "made_at": {"type": "number"},
                    "answer": {"type": ["string", "number", "null"]},
                    "score": {"type": ["number", "null"]},
                    "held_out": {"type": "boolean"},
                    "issue": {"type": ["boolean", "null"]},
                    "group": {"type": ["string", "null"]},
                },
            },
        },
        "next": {"type": ["string", "null"]},
    },
}
