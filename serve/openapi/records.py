"""OpenAPI schemas of listings of records, and of one record."""

from __future__ import annotations

from db.records.listings.index_scan import MOST_COUNTED
from db.records.listings.listing import MOST_ROWS
from db.records.listings.listing_filter import ALL_ROWS, SHOWS, SORTS
from db.records.listings.sorted_listing import MOST_SORTED_ROWS

from .field_schema import CONTROL, Document, row_id_schema

_TEXT: Document = {"type": "string", "pattern": rf"^[^{CONTROL}]*$"}
BY_ACCEPT = "The format of the response; by default, the header Accept decides."
SORT_BY = (
    f"A field, or one of {', '.join(SORTS)}; with - before it, the highest first. At most"
    f" {MOST_SORTED_ROWS:,} records are sorted."
)
PAGE_ROWS: Document = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_ROWS}, {"enum": [ALL_ROWS]}]
}
LISTING_PARAMETERS = (
    ("show", {"enum": list(SHOWS)}, "Which records to list; by default, all."),
    ("label", _TEXT, "Only records with this label."),
    ("prediction", _TEXT, "Only records with this prediction."),
    ("group", _TEXT, "Only records of this group of near duplicates."),
    ("q", _TEXT, "Only records with this text in any field, in upper or lower case."),
    ("sort", _TEXT, SORT_BY),
    ("after", _TEXT, "The place where the page before ended, from its `next`."),
    ("before", _TEXT, "The place where the page after begins, from its `previous`."),
    ("rows", PAGE_ROWS, "The page size; 50 if none. `all` only as CSV."),
    ("format", {"enum": ["json", "csv", "html"]}, BY_ACCEPT),
)
ROW_PARAMETER = (
    "row",
    row_id_schema(in_query=True),
    "Only the record of the row with this id; not beside other conditions.",
)
RECORD_KEY: Document = {
    "name": "key",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
LABELS: Document = {
    "type": "object",
    "description": "How many rows of the data have each label.",
    "additionalProperties": {"type": "integer"},
}
RECORD: Document = {
    "type": "object",
    "required": ["key", "inputs", "label", "labels", "observations"],
    "properties": {
        "labels": LABELS,
        "observations": {
            "type": "array",
            "description": "The rows of the data with these inputs, and what people said about"
            " them, the newest first.",
            "items": {
                "type": "object",
                "required": ["id", "label", "row_id", "origin", "made_at"],
                "properties": {
                    "id": {"type": "integer"},
                    "label": {"type": ["string", "null"]},
                    "row_id": {"type": ["string", "null"]},
                    "origin": {"enum": ["import", "api", "person"]},
                    "made_at": {"type": "number"},
                    "author": {"type": ["string", "null"]},
                    "is_unsure": {"type": "boolean"},
                    "replaced_by": {"type": ["integer", "null"]},
                },
            },
        },
    },
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
                "required": ["key", "inputs", "label", "labels", "answer", "score"],
                "properties": {
                    "key": {"type": "string"},
                    "row_id": {
                        "type": ["string", "null"],
                        "description": "The first of its row ids; null without an id column.",
                    },
                    "inputs": {"type": "object"},
                    "label": {
                        "type": ["string", "null"],
                        "description": "The most frequent label, or the mean of a regression.",
                    },
                    "labels": LABELS,
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
        "previous": {"type": ["string", "null"]},
        "total": {
            "type": ["integer", "null"],
            "description": f"Not counted in a search; {MOST_COUNTED + 1:,} if more than that.",
        },
    },
}
