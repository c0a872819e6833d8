"""The OpenAPI document, made from the datasets' specs."""

from __future__ import annotations

from collections.abc import Sequence

from db.spec.dataset_spec import DatasetSpec
from serve.api.keys import COOKIE
from serve.api.middleware import ALIVE, HEALTH
from serve.api.query import MOST_ITEMS

from .schema import (
    ADDED,
    LISTING_PARAMETERS,
    PREDICTION,
    PROBLEM,
    RECORD_KEY,
    RECORDS,
    REFUSALS,
    Document,
    array_body,
    choice,
    described,
    inputs_schema,
    parameter,
    predictions,
    reference,
    refused,
    target_schema,
)

# Either will do to read; to write, a cookie is not enough.
_WRITE_KEYS: list[Document] = [{"key": []}]
_KEYS: list[Document] = [{"key": []}, {"cookie": []}]


def openapi_document(specs: Sequence[DatasetSpec], *, is_open: bool = True) -> Document:
    """Return the description of all routes; unless they are open, most need a key."""
    paths: Document = {"/predict": {"get": _predict_any(specs)}}
    for spec in specs:
        paths |= _dataset_paths(spec)
    paths |= _fixed_paths()
    if not is_open:
        paths = {
            path: methods if path in HEALTH else _locked(methods) for path, methods in paths.items()
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
            "schemas": {"Prediction": PREDICTION, "Problem": PROBLEM, "Records": RECORDS},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _locked(methods: Document) -> Document:
    keyless = {"4XX": refused("A key is needed, for one.")}
    return {
        method: {"security": _KEYS, **one, "responses": keyless | one["responses"]}
        for method, one in methods.items()
    }


def _predict_any(specs: Sequence[DatasetSpec]) -> Document:
    parameters: dict[str, Document] = {}
    for spec in specs:
        for name, field in spec.fields.items():
            parameters.setdefault(name, parameter(name, field) | {"required": False})
    return {
        "tags": ["any dataset"],
        "summary": "Predict for the one dataset that has just these fields",
        "description": "All its required fields must be in the query, and nothing that is none of"
        " its fields; else 400 names the datasets and their fields.",
        "parameters": list(parameters.values()),
        "responses": predictions("#/components/schemas/Prediction"),
    }


def _dataset_paths(spec: DatasetSpec) -> Document:
    inputs = inputs_schema(spec)
    labelled = {**inputs, "properties": {**inputs["properties"], spec.target: target_schema(spec)}}
    either = {"anyOf": [reference("Prediction"), reference("Problem")]}
    title = spec.title or spec.name
    paths: Document = {
        f"/predict/{spec.name}": {
            "get": {
                "summary": f"{title}: predict {spec.target}",
                "parameters": [parameter(name, field) for name, field in spec.fields.items()],
                "responses": predictions("#/components/schemas/Prediction"),
            },
            "post": {
                "summary": f"{title}: predict {spec.target} for many inputs",
                "description": f"An array of up to {MOST_ITEMS:,} inputs gives an array in the same"
                " order; a bad item gives its own problem.",
                "requestBody": array_body(inputs),
                "responses": {
                    "200": described({"type": "array", "items": either}, "In the inputs' order."),
                    **REFUSALS,
                },
            },
        },
        f"/records/{spec.name}": {
            "get": {
                "summary": f"{title}: list records, a page at a time",
                "description": "As JSON, CSV or a page. `next`, and the header Link, lead to the"
                " page after it. Labelled records are listed by the answer that the teacher gave"
                " without having seen their label: `held_out`.",
                "parameters": [choice(*one) for one in LISTING_PARAMETERS],
                "responses": {
                    "200": {
                        "description": "A page; Link leads to the next one.",
                        "content": {
                            "application/json": {"schema": reference("Records")},
                            "text/csv": {"schema": {"type": "string"}},
                            "text/html": {"schema": {"type": "string"}},
                        },
                    },
                    **REFUSALS,
                },
            },
            "post": {
                "summary": f"{title}: add records, all or none",
                "description": f"An array of up to {MOST_ITEMS:,} inputs, each with its target if"
                " it has one. Needs a key from API_KEYS.",
                "security": _WRITE_KEYS,
                "requestBody": array_body(labelled),
                "responses": {"200": described(ADDED, "How many."), **REFUSALS},
            },
        },
        f"/records/{spec.name}/{{key}}": _record_path(title),
    }
    if spec.flat_route:
        paths |= _flat_paths(spec)
    return _tagged(spec.name, paths)


def _record_path(title: str) -> Document:
    by_accept = "By Accept, if left out."
    one = {
        "description": "All that is known of it.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
    return {
        "get": {
            "summary": f"{title}: everything that is known of one record",
            "description": "When each value was made, and by which version.",
            "parameters": [RECORD_KEY, choice("format", {"enum": ["json", "html"]}, by_accept)],
            "responses": {"200": one, **REFUSALS},
        },
        "delete": {
            "summary": f"{title}: forget one record and all that came of it",
            "description": "Needs a key from API_KEYS.",
            "security": _WRITE_KEYS,
            "parameters": [RECORD_KEY],
            "responses": {"200": described({"type": "object"}, "It is forgotten."), **REFUSALS},
        },
    }


def _flat_paths(spec: DatasetSpec) -> Document:
    name = spec.required[0]
    flat = {"type": "object", "additionalProperties": {"type": "number"}}
    languages = {"type": "array", "items": {"type": "string"}}
    return {
        str(spec.flat_route): {
            "get": {
                "summary": "The probability of every label, and nothing else",
                "description": "The spec's flat_route: labels with their probabilities, rounded to"
                " four decimals; other parameters are ignored.",
                "parameters": [parameter(name, spec.fields[name])],
                "responses": {"200": described(flat, "By label."), **REFUSALS},
            }
        },
        f"{spec.flat_route}-supported-languages": {
            "get": {
                "summary": "The languages of the inputs",
                "description": "Those of the spec, for any flat route.",
                "responses": {"200": described(languages, "As BCP 47 tags.")},
            }
        },
    }


def _fixed_paths() -> Document:
    status = described({"type": "object", "properties": {"status": {"type": "string"}}}, "It is.")
    alive = {"get": {"summary": "Whether the process runs", "responses": {"200": status}}}
    ready = {
        "get": {
            "summary": "Whether the process should get requests",
            "description": "200 once store and a student are there; 503 while they are not, or"
            " while the process ends.",
            "responses": {"200": status, "503": refused("Not now.")},
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
        path: {method: {"tags": [tag], **operation} for method, operation in methods.items()}
        for path, methods in paths.items()
    }
