"""The OpenAPI document, generated from the datasets' specs."""

from __future__ import annotations

from collections.abc import Sequence

from db.spec.dataset_spec import DatasetSpec
from serve.api.access.session import COOKIE
from serve.api.middleware import ALIVE, HEALTH
from serve.api.query import MOST_ITEMS

from .batch import predict_many_operation
from .explanation import EXPLANATION, explain_operation
from .field_schema import Document, parameter, row_id_parameter
from .labels import tell_labels_operation
from .records import BY_ACCEPT, LISTING_PARAMETERS, RECORD, RECORD_KEY, RECORDS, ROW_PARAMETER
from .schema import (
    ADDED,
    IDEMPOTENCY_KEY,
    PREDICTION,
    PROBLEM,
    REFUSALS,
    array_body,
    choice,
    json_response,
    needs_some_value,
    prediction_responses,
    problem_response,
    ready_schema,
    reference,
    row_schema,
)

# Reading accepts a bearer key or the cookie; writing accepts only a bearer key.
_WRITE_KEYS: list[Document] = [{"key": []}]
_READ_KEYS: list[Document] = [{"key": []}, {"cookie": []}]


def openapi_document(
    specs: Sequence[DatasetSpec], *, is_open: bool = True, prefix: str = ""
) -> Document:
    """Return the description of all routes; if not `is_open`, all but HEALTH need a key.

    `prefix` is the path under which a proxy shows the server.
    """
    predict = _predict_any(specs)
    explain = explain_operation(predict, "Explain the prediction of the dataset with these fields")
    paths: Document = {"/predict": {"get": predict}, "/explain": {"get": explain}}
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
            "description": "Predictions of tabular and text data: the teacher's stored prediction"
            " for known inputs, the student's prediction for new ones.",
        },
        "servers": [{"url": prefix or "/"}],
        "paths": paths,
        "components": {
            "schemas": {
                "Explanation": EXPLANATION,
                "Prediction": PREDICTION,
                "Problem": PROBLEM,
                "Records": RECORDS,
            },
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def _locked(methods: Document) -> Document:
    refusal = {"4XX": problem_response("The request is invalid, or its key is missing or wrong.")}
    return {
        method: {
            "security": _READ_KEYS,
            **operation,
            "responses": refusal | operation["responses"],
        }
        for method, operation in methods.items()
    }


def _predict_any(specs: Sequence[DatasetSpec]) -> Document:
    parameters: dict[str, Document] = {}
    for spec in specs:
        for name, field in spec.fields.items():
            parameters.setdefault(name, parameter(name, field, required=False))
        if spec.id:
            parameters.setdefault(spec.id, row_id_parameter(spec))
    return {
        "tags": ["any dataset"],
        "summary": "Predict for the one dataset that has these fields",
        "description": "The query must fit exactly one dataset: it has all required fields of the"
        " dataset, and only fields of the dataset, or the id of a row alone. Otherwise the response"
        " is 400 and names the datasets and their fields.",
        "parameters": list(parameters.values()),
        "responses": prediction_responses("#/components/schemas/Prediction"),
    }


def _dataset_paths(spec: DatasetSpec) -> Document:
    title = spec.title or spec.name
    predict = _predict_one(spec, title)
    explain = explain_operation(predict, f"{title}: explain the prediction of {spec.target}")
    paths: Document = {
        f"/predict/{spec.name}": {"get": predict, "post": predict_many_operation(spec, title)},
        f"/explain/{spec.name}": {"get": explain},
        f"/records/{spec.name}": {
            "get": {
                "summary": f"{title}: list records, a page at a time",
                "description": "As JSON, CSV or HTML. `next` and the header `Link` hold the address"
                " of the next page. Labelled records are listed with their out-of-fold prediction"
                " (`held_out` is true): the teacher that made it was trained without their labels.",
                "parameters": [choice(*arguments) for arguments in _listing_parameters(spec)],
                "responses": {
                    "200": {
                        "description": "A page of records; the header Link leads to the next page.",
                        "content": {
                            "application/json": {"schema": reference("Records")},
                            "text/csv": {"schema": {"type": "string"}},
                            "text/html": {"schema": {"type": "string"}},
                        },
                    },
                    **REFUSALS,
                },
            },
            "post": _add_rows(spec, title),
        },
        f"/records/{spec.name}/{{key}}": _record_path(title),
        f"/labels/{spec.name}": {"post": tell_labels_operation(spec, title, _WRITE_KEYS)},
    }
    if spec.flat_route:
        paths |= _flat_paths(spec)
    return _tagged(spec.name, paths)


def _predict_one(spec: DatasetSpec, title: str) -> Document:
    # A row id takes the place of all fields, so with one no single field must be given.
    parameters = [
        parameter(name, field, required=False if spec.id else None)
        for name, field in spec.fields.items()
    ]
    operation: Document = {
        "summary": f"{title}: predict {spec.target}",
        **({"description": words} if (words := _what_to_give(spec)) else {}),
        "parameters": [*parameters, *([row_id_parameter(spec)] if spec.id else [])],
        "responses": prediction_responses("#/components/schemas/Prediction"),
    }
    if spec.id:
        operation["responses"] |= {"404": problem_response("No row has this id.")}
    return operation


def _what_to_give(spec: DatasetSpec) -> str:
    """Return what the single parameters of a dataset do not say, "" if they say all."""
    sentences = []
    if needs_some_value(spec):
        sentences.append("Needs at least one field that is not empty.")
    if spec.id:
        sentences.append(f"{spec.id} alone, the id of a row of the data, stands for its fields.")
    return " ".join(sentences)


def _listing_parameters(spec: DatasetSpec) -> tuple[tuple[str, Document, str], ...]:
    return (*LISTING_PARAMETERS, *((ROW_PARAMETER,) if spec.id else ()))


def _add_rows(spec: DatasetSpec, title: str) -> Document:
    replaced = (
        f"A row whose {spec.id} is known corrects that row."
        if spec.id
        else "Like an import of a file, they replace earlier rows with the same inputs."
    )
    return {
        "summary": f"{title}: add rows, all or none",
        "description": f"Takes an array of up to {MOST_ITEMS:,} rows, at most 2 MiB, each with its"
        f" label if it is known. {replaced} Needs a key from API_KEYS.",
        "security": _WRITE_KEYS,
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": array_body(row_schema(spec)),
        "responses": {
            "200": json_response(ADDED, "The number of rows by outcome."),
            "422": problem_response("The Idempotency-Key came with another body before."),
            **REFUSALS,
        },
    }


def _record_path(title: str) -> Document:
    record = {
        "description": "The record.",
        "content": {
            "application/json": {"schema": RECORD},
            "text/html": {"schema": {"type": "string"}},
        },
    }
    return {
        "get": {
            "summary": f"{title}: show one record",
            "description": "Its inputs, labels, rows and prediction, and each enrichment with its"
            " time and fingerprint.",
            "parameters": [RECORD_KEY, choice("format", {"enum": ["json", "html"]}, BY_ACCEPT)],
            "responses": {"200": record, **REFUSALS},
        },
        "delete": {
            "summary": f"{title}: delete one record and everything derived from it",
            "description": "Needs a key from API_KEYS.",
            "security": _WRITE_KEYS,
            "parameters": [RECORD_KEY],
            "responses": {
                "200": json_response({"type": "object"}, "The record was deleted."),
                **REFUSALS,
            },
        },
    }


def _flat_paths(spec: DatasetSpec) -> Document:
    name = spec.required[0]
    flat = {"type": "object", "additionalProperties": {"type": "number"}}
    languages = {"type": "array", "items": {"type": "string"}}
    return {
        str(spec.flat_route): {
            "get": {
                "summary": "Predict the probability of every label, as one flat object",
                "description": "The route that the spec names as flat_route. Probabilities are"
                " rounded to four decimals; unknown parameters are ignored.",
                "parameters": [parameter(name, spec.fields[name])],
                "responses": {"200": json_response(flat, "Probabilities by label."), **REFUSALS},
            }
        },
        f"{spec.flat_route}-supported-languages": {
            "get": {
                "summary": "List the languages of the inputs",
                "description": "The languages in the dataset's spec.",
                "responses": {"200": json_response(languages, "BCP 47 language tags.")},
            }
        },
    }


def _fixed_paths() -> Document:
    status = {"type": "object", "properties": {"status": {"type": "string"}}}
    alive = {
        "get": {
            "summary": "Check that the process runs",
            "responses": {"200": json_response(status, "The process runs.")},
        }
    }
    ready = {
        "get": {
            "summary": "Check that the process is ready for requests",
            "description": "200 while the store can be read and at least one dataset has a student;"
            " otherwise, and while the process is ending, 503.",
            "responses": {
                "200": json_response(ready_schema(), "The process is ready."),
                "503": problem_response("The process is not ready; the detail says why."),
            },
        }
    }
    text = {
        "description": "Metrics of all web processes and workers.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    metrics = {"get": {"summary": "Return metrics for Prometheus", "responses": {"200": text}}}
    paths = {**dict.fromkeys(ALIVE, alive), "/readyz": ready, "/metrics": metrics}
    return _tagged("operation", paths)


def _tagged(tag: str, paths: Document) -> Document:
    """Tag all operations, so that Swagger UI shows them as one group."""
    return {
        path: {method: {"tags": [tag], **operation} for method, operation in methods.items()}
        for path, methods in paths.items()
    }
