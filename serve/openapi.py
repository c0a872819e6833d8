"""The OpenAPI document, made from the datasets' specs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from db.field import (
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
from db.spec import DatasetSpec

from .access import COOKIE
from .journal import ALIVE, HEALTH
from .query import MOST_ITEMS

Document: TypeAlias = dict[str, Any]

_CONTROL = r"\u0000-\u0008\u000e-\u001f\u007f-\u009f"
# One character at least that is no white space, and none that controls.
TEXT_PATTERN = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
# Either will do.
_KEYS: list[Document] = [{"key": []}, {"cookie": []}]

_TYPES: dict[type, str] = {
    TextField: "string",
    ChoiceField: "string",
    BooleanField: "boolean",
    IntegerField: "integer",
    NumberField: "number",
}


def openapi_document(specs: Sequence[DatasetSpec], *, is_open: bool = True) -> Document:
    """Return the description of all routes; unless they are open, most need a key."""
    paths: Document = {"/predict": {"get": _predict_any(specs)}}
    for spec in specs:
        paths |= _dataset_paths(spec)
    paths |= _fixed_paths()
    if not is_open:
        paths = {
            path: described if path in HEALTH else _locked(described)
            for path, described in paths.items()
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Veilleuse",
            "version": "1",
            "description": "Predictions from a store of the teacher's answers,"
            " and from the student where there is none yet.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Prediction": _PREDICTION, "Problem": _PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _locked(described: Document) -> Document:
    refused = {"4XX": _problem("A key is needed, for one.")}
    return {
        method: {**one, "security": _KEYS, "responses": refused | one["responses"]}
        for method, one in described.items()
    }


def _predict_any(specs: Sequence[DatasetSpec]) -> Document:
    parameters: dict[str, Document] = {}
    for spec in specs:
        for name, field in spec.fields.items():
            parameters.setdefault(name, _parameter(name, field) | {"required": False})
    return {
        "tags": ["any dataset"],
        "summary": "Predict for the one dataset that has just these fields",
        "parameters": list(parameters.values()),
        "responses": _answers("#/components/schemas/Prediction"),
    }


def _dataset_paths(spec: DatasetSpec) -> Document:
    inputs = _inputs_schema(spec)
    labelled = {**inputs, "properties": {**inputs["properties"], spec.target: _target(spec)}}
    either = {"anyOf": [_reference("Prediction"), _reference("Problem")]}
    title = spec.title or spec.name
    paths: Document = {
        f"/predict/{spec.name}": {
            "get": {
                "summary": f"{title}: predict {spec.target}",
                "parameters": [_parameter(name, field) for name, field in spec.fields.items()],
                "responses": _answers("#/components/schemas/Prediction"),
            },
            "post": {
                "summary": f"{title}: predict {spec.target} for many inputs",
                "requestBody": _array_body(inputs),
                "responses": {
                    "200": _content({"type": "array", "items": either}, "In the inputs' order."),
                    **_REFUSALS,
                },
            },
        },
        f"/records/{spec.name}": {
            "post": {
                "summary": f"{title}: add records, all or none",
                "security": _KEYS,
                "requestBody": _array_body(labelled),
                "responses": {"200": _content(_ADDED, "How many."), **_REFUSALS},
            }
        },
    }
    if spec.flat_route:
        paths |= _flat_paths(spec)
    return _tagged(spec.name, paths)


def _flat_paths(spec: DatasetSpec) -> Document:
    name = spec.required[0]
    flat = {"type": "object", "additionalProperties": {"type": "number"}}
    languages = {"type": "array", "items": {"type": "string"}}
    return {
        str(spec.flat_route): {
            "get": {
                "summary": "The probability of every label, and nothing else",
                "parameters": [_parameter(name, spec.fields[name])],
                "responses": {"200": _content(flat, "By label."), **_REFUSALS},
            }
        },
        f"{spec.flat_route}-supported-languages": {
            "get": {
                "summary": "The languages of the inputs",
                "responses": {"200": _content(languages, "As BCP 47 tags.")},
            }
        },
    }


def _fixed_paths() -> Document:
    status = _content({"type": "object", "properties": {"status": {"type": "string"}}}, "It is.")
    alive = {"get": {"summary": "Whether the process runs", "responses": {"200": status}}}
    ready = {
        "get": {
            "summary": "Whether the process should get requests",
            "responses": {"200": status, "503": _problem("Not now.")},
        }
    }
    text = {
        "description": "All figures.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    figures = {"get": {"summary": "Figures for Prometheus", "responses": {"200": text}}}
    paths = {**dict.fromkeys(ALIVE, alive), "/readyz": ready, "/metrics": figures}
    return _tagged("operation", paths)


def _tagged(tag: str, paths: Document) -> Document:
    """Group operations as the page shows them."""
    return {
        path: {method: {"tags": [tag], **described} for method, described in methods.items()}
        for path, methods in paths.items()
    }


def _parameter(name: str, field: Field) -> Document:
    return {
        "name": name,
        "in": "query",
        "required": field.default is None,
        "description": field.title,
        "schema": _field_schema(field),
        "example": example_of(field),
    }


def _field_schema(field: Field) -> Document:
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


def _inputs_schema(spec: DatasetSpec) -> Document:
    return {
        "type": "object",
        "properties": {name: _field_schema(field) for name, field in spec.fields.items()},
        "required": list(spec.required),
        "additionalProperties": False,
        "example": spec.example_inputs(),
    }


def _target(spec: DatasetSpec) -> Document:
    if spec.kind == "regression":
        limits = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
        return {"type": ["number", "null"], **limits}
    label: Document = {"type": ["string", "null"]}
    return label | ({"enum": [*spec.labels, None]} if spec.labels else {})


def _array_body(items: Document) -> Document:
    schema = {"type": "array", "maxItems": MOST_ITEMS, "items": items}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: Document, description: str) -> Document:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problem(description: str) -> Document:
    content = {"application/problem+json": {"schema": _reference("Problem")}}
    return {"description": description, "content": content}


def _answers(schema: str) -> Document:
    return {"200": _content({"$ref": schema}, "The prediction."), **_REFUSALS}


_REFUSALS: Document = {
    "4XX": _problem("What is wrong with the request, and what would do."),
    "503": _problem("There is no model yet."),
}
_ADDED: Document = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("created", "relabelled", "unchanged")},
}
_PREDICTION: Document = {
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
_PROBLEM: Document = {
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
