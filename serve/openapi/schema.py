"""Schemas: what inputs, answers and refusals look like, as OpenAPI says it."""

from __future__ import annotations

from typing import Any, TypeAlias

from db.records.listing import MOST_ROWS, SHOWS
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import (
    LARGEST_NUMBER,
    LARGEST_WHOLE,
    BooleanField,
    ChoiceField,
    Field,
    IntegerField,
    NumberField,
    TextField,
    example_of,
)
from serve.api.query import MOST_ITEMS

Document: TypeAlias = dict[str, Any]

_CONTROL = r"\u0000-\u0008\u000e-\u001f\u007f-\u009f"
# One character at least that is no white space, and none that controls.
TEXT_PATTERN = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
_TYPES: dict[type, str] = {
    TextField: "string",
    ChoiceField: "string",
    BooleanField: "boolean",
    IntegerField: "integer",
    NumberField: "number",
}


def parameter(name: str, field: Field) -> Document:
    """Return a field as a parameter."""
    return {
        "name": name,
        "in": "query",
        "required": field.default is None,
        "description": field.title,
        "schema": field_schema(field),
        "example": example_of(field),
    }


def field_schema(field: Field) -> Document:
    """Return what a field's values are like."""
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
    """Return what a dataset's inputs are like."""
    return {
        "type": "object",
        "properties": {name: field_schema(field) for name, field in spec.fields.items()},
        "required": list(spec.required),
        "additionalProperties": False,
        "example": spec.example_inputs(),
    }


def target_schema(spec: DatasetSpec) -> Document:
    """Return what a dataset's labels are like."""
    if spec.kind == "regression":
        limits = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        return {"type": ["number", "null"], **limits}
    label: Document = {"type": ["string", "null"]}
    return label | ({"enum": [*spec.labels, None]} if spec.labels else {})


def choice(name: str, schema: Document, description: str) -> Document:
    """Return a parameter that may be left out."""
    return {"name": name, "in": "query", "description": description, "schema": schema}


def array_body(items: Document) -> Document:
    """Return a body that is an array of such items."""
    schema = {"type": "array", "maxItems": MOST_ITEMS, "items": items}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def reference(name: str) -> Document:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def described(schema: Document, description: str) -> Document:
    """Return an answer of that schema."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def refused(description: str) -> Document:
    """Return a refusal."""
    content = {"application/problem+json": {"schema": reference("Problem")}}
    return {"description": description, "content": content}


def predictions(schema: str) -> Document:
    """Return the answers of a route that predicts."""
    return {"200": described({"$ref": schema}, "The prediction."), **REFUSALS}


REFUSALS: Document = {
    "4XX": refused("What is wrong with the request, and what would do."),
    "503": refused("There is no model yet."),
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
            "description": "Most likely first; a regression has none.",
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
_WORDS: Document = {"type": "string", "pattern": rf"^[^{_CONTROL}]*$"}
LISTING_PARAMETERS = (
    ("show", {"enum": list(SHOWS)}, "Which records."),
    ("label", _WORDS, "Of this label alone."),
    ("prediction", _WORDS, "Of this prediction alone."),
    ("group", _WORDS, "Of this group of duplicates alone."),
    ("after", _WORDS, "Where the page before ended; its `next` says it."),
    ("rows", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS}, "At most so many."),
    ("format", {"enum": ["json", "csv", "html"]}, "By Accept, if left out."),
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
