"""The OpenAPI description of labels that are told later."""

from __future__ import annotations

from dataclasses import fields

from db.labels.told_label import REQUEST_ID
from db.labels.truth import TellCounts
from db.spec.dataset_spec import MAX_LABEL_CHARACTERS, DatasetSpec
from db.spec.validation import LARGEST_NUMBER
from serve.api.query import MOST_ITEMS

from .field_schema import MISSING, TEXT_PATTERN, Document, row_id_schema
from .schema import (
    IDEMPOTENCY_KEY,
    REFUSALS,
    array_body,
    json_response,
    needs_some_value,
    problem_response,
    row_schema,
)

_REQUEST: Document = {
    "type": "string",
    "minLength": 1,
    "maxLength": 100,
    "pattern": TEXT_PATTERN,
    "description": "The X-Request-Id of a prediction; of an item of a batch with a slash and its"
    " place, counted from 0.",
}
_ONCE = (
    "A text of your choice, new for each request. With it the labels are told once: the same"
    " request again changes nothing and gets the same counts."
)
# What each count says; see TellCounts.
_COUNTS = {
    "added": "Labels that are new.",
    "corrected": "Labels that were told before of the same request, and were different.",
    "unchanged": "Labels that were told before.",
    "records": "Records that are new: inputs that were not in the store.",
    "judged": "Labels that are the truth of an answer which was recorded.",
}
TOLD: Document = {
    "type": "object",
    "required": [count.name for count in fields(TellCounts)],
    "properties": {
        count.name: {"type": "integer", "minimum": 0, "description": _COUNTS[count.name]}
        for count in fields(TellCounts)
    },
}


def tell_labels_operation(spec: DatasetSpec, title: str, security: list[Document]) -> Document:
    """Return the operation that tells what turned out to be true."""
    by_id = f" by {spec.id}, the id of a row;" if spec.id else ""
    return {
        "summary": f"{title}: tell what {spec.target} turned out to be, all or none",
        "description": f"Takes an array of up to {MOST_ITEMS:,} labels, at most 2 MiB. Each says"
        f" what it is the truth of:{by_id} by {REQUEST_ID}, the X-Request-Id of a prediction; or by"
        f" the inputs, which may also stand beside {REQUEST_ID}. Labels are compared with what was"
        " predicted, and the next training learns from them. Needs a key from API_KEYS.",
        "security": security,
        "parameters": [IDEMPOTENCY_KEY | {"description": _ONCE}],
        "requestBody": array_body(told_schema(spec)),
        "responses": {
            "200": json_response(TOLD, "The number of labels by outcome."),
            "422": problem_response("The Idempotency-Key came with another body before."),
            **REFUSALS,
        },
    }


def told_schema(spec: DatasetSpec) -> Document:
    """Return the schema of a label that is told: of a request, of inputs, or of a row."""
    truth = {spec.target: _label_schema(spec)}
    request = {} if REQUEST_ID in spec.request_names else {REQUEST_ID: _REQUEST}
    inputs = {
        name: it for name, it in row_schema(spec)["properties"].items() if name in spec.fields
    }
    by_inputs = _object(inputs | truth | request, [*spec.required, spec.target])
    if needs_some_value(spec):
        others: Document = {"properties": {name: {} for name in truth | request}}
        by_inputs["not"] = others | {"additionalProperties": MISSING}
    options = [by_inputs]
    if request:
        options.append(_object(request | truth, [REQUEST_ID, spec.target]))
    if spec.id:
        options.append(_object({spec.id: row_id_schema()} | truth, [spec.id, spec.target]))
    return {"anyOf": options, "example": example_of_told(spec)}


def example_of_told(spec: DatasetSpec) -> Document:
    """Return an item of a request, by the request id and the inputs, which always works."""
    label = 100.0 if spec.kind == "regression" else (spec.labels or ("yes",))[0]
    request = {} if REQUEST_ID in spec.request_names else {REQUEST_ID: "5f2c9a1e00000007"}
    return {**request, **spec.example_inputs(), spec.target: label}


def _label_schema(spec: DatasetSpec) -> Document:
    """Return the schema of a label that is known."""
    limits = {"minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}
    missing = {"not": {"enum": list(spec.target_missing)}} if spec.target_missing else {}
    if spec.kind == "regression":
        return {"type": "number", **limits}
    if spec.labels:
        return {"enum": list(spec.labels), **missing}
    text = {"minLength": 1, "maxLength": MAX_LABEL_CHARACTERS, "pattern": TEXT_PATTERN}
    return {"type": ["string", "number", "boolean"], **text, **limits, **missing}


def _object(properties: Document, required: list[str]) -> Document:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
