"""OpenAPI schemas and operations of explanations."""

from __future__ import annotations

from serve.api.query import MOST_EXPLAINED

from .field_schema import Document
from .schema import choice, json_response, reference

EXPLAIN_PARAMETER = choice(
    "explain",
    {"type": "boolean"},
    "Whether each prediction gets a member `explanation`; then the array may have up to"
    f" {MOST_EXPLAINED} inputs, and more are refused with 413.",
)
_REASON: Document = {
    "type": "object",
    "required": ["field", "amount"],
    "properties": {
        "field": {"type": "string"},
        "value": {
            "type": ["string", "number", "boolean", "null"],
            "description": "The value of the field, in normal form; not in a reason with `word`.",
        },
        "word": {
            "type": "string",
            "description": "The word of a text, or the two words that follow each other. Without"
            " it, the amount is that of the whole value, or of all that is not in words of a text.",
        },
        "amount": {
            "type": "number",
            "description": "What the value adds to the total, or takes from it.",
        },
    },
}
_NEIGHBOUR: Document = {
    "type": "object",
    "required": ["key", "label", "similarity"],
    "properties": {
        "key": {"type": "string", "description": "The key of a labelled record."},
        "label": {
            "type": "string",
            "description": "The label that the record had at the time of the analysis.",
        },
        "similarity": {
            "type": "number",
            "minimum": -1,
            "maximum": 1,
            "description": "The cosine of the angle between the vectors of the two records.",
        },
    },
}
EXPLANATION: Document = {
    "type": "object",
    "description": "`base`, the amounts of all reasons and `rest` add up to `total`.",
    "required": [
        *("dataset", "model", "prediction", "source", "unit", "base", "reasons", "rest", "total"),
    ],
    "properties": {
        "dataset": {"type": "string"},
        "model": {"type": "string"},
        "prediction": {"type": ["string", "number"]},
        "source": {
            "enum": ["teacher", "student"],
            "description": "The explained model: always the one that answers at once.",
        },
        "over": {
            "type": "string",
            "description": "The second most likely label; not for regressions.",
        },
        "unit": {
            "type": "string",
            "description": "`log odds` for a label; for a number, the name of the target.",
        },
        "base": {"type": "number", "description": "The total of an average row of training."},
        "reasons": {
            "type": "array",
            "description": "The strongest reasons, the strongest first.",
            "items": _REASON,
        },
        "rest": {"type": "number", "description": "The sum of all weaker reasons."},
        "total": {
            "type": "number",
            "description": "For a label, the natural logarithm of its probability over that of"
            " `over`; for a number, the prediction.",
        },
        "neighbours": {
            "type": "array",
            "description": "The labelled records that are most similar to the record with these"
            " inputs, the most similar first. Absent if there is no such record, or if the enricher"
            " `neighbours` has no up-to-date value for it. Not in answers to POST.",
            "items": _NEIGHBOUR,
        },
    },
    "example": {
        "dataset": "flats",
        "model": "flats@3",
        "prediction": 927.5,
        "source": "teacher",
        "unit": "rent",
        "base": 702.25,
        "reasons": [
            {"field": "area", "value": 61, "amount": 180.5},
            {"field": "notice", "word": "bright", "amount": 42.0},
        ],
        "rest": 2.75,
        "total": 927.5,
    },
}


def explain_operation(predict: Document, summary: str) -> Document:
    """Return the operation that explains a prediction; it has the parameters of that operation."""
    description = "The reasons of the model that answers at once, and the amount of each."
    return predict | {
        "summary": summary,
        "description": " ".join(filter(None, (description, predict.get("description")))),
        "responses": {
            **predict["responses"],
            "200": json_response(reference("Explanation"), "The explanation."),
        },
    }
