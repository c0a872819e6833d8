"""The OpenAPI description of predictions for many inputs, as JSON and as CSV."""

from __future__ import annotations

from db.spec.dataset_spec import DatasetSpec
from serve.api.query import MOST_CSV_ROWS, MOST_EXPLAINED, MOST_ITEMS

from .explanation import EXPLAIN_PARAMETER
from .field_schema import Document
from .schema import (
    REFUSALS,
    array_body,
    inputs_schema,
    json_response,
    problem_response,
    reference,
)

DESCRIPTION = (
    f"Takes an array of up to {MOST_ITEMS:,} inputs, at most 2 MiB, and returns an array in the"
    " same order; an invalid input gets a problem in place of a prediction. With `?explain=true`,"
    f" each prediction gets its explanation; then the array has up to {MOST_EXPLAINED} inputs. Also"
    f" takes a table as `text/csv`, of up to {MOST_CSV_ROWS:,} rows below a line with the columns'"
    " names, and returns the same rows with the predictions in further columns; a row that cannot"
    " be predicted has the reason in the column `error`. With `Accept: application/json`, a table"
    " gets the array. A process answers one table at a time: meanwhile, another table gets 503 with"
    " `Retry-After`."
)


def predict_many_operation(spec: DatasetSpec, title: str) -> Document:
    """Return the operation that predicts for an array of inputs, or for a table."""
    either = {"anyOf": [reference("Prediction"), reference("Problem")]}
    predictions = {"type": "array", "items": either}
    return {
        "summary": f"{title}: predict {spec.target} for many inputs",
        "description": DESCRIPTION,
        "parameters": [EXPLAIN_PARAMETER],
        "requestBody": _with_csv(array_body(inputs_schema(spec))),
        "responses": {
            "200": _with_csv(
                json_response(predictions, "The predictions, in the order of the inputs.")
            ),
            "415": problem_response("The table is not UTF-8, or is to be explained."),
            "503": problem_response("The process answers another table; send this one again."),
            **REFUSALS,
        },
    }


def _with_csv(described: Document) -> Document:
    """Return a body that can also be a table."""
    table = {"text/csv": {"schema": {"type": "string"}}}
    return {**described, "content": {**described["content"], **table}}
