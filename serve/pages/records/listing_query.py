"""The query of a listing of records, and its results as JSON and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec

from db.errors import InputError
from db.records.listing import MOST_ROWS, SHOWS, ListingFilter, ListingPage
from db.records.observation import describe_labels
from db.spec.dataset_spec import DatasetSpec
from db.spec.normalization import normal_text
from serve.api.response import public_path

ROWS = 50
FORMATS = ("html", "json", "csv")
TITLES = {
    "all": "All",
    "disagreements": "Label and prediction disagree",
    "uncertain": "Uncertain, the least certain first",
    "issues": "Labels that are probably wrong",
    "duplicates": "Near duplicates, by group",
}
_NAMES = ("show", "label", "prediction", "group", "after", "rows", "format", "row")
_NOT_WITH_ROW = ("show", "label", "prediction", "group", "after")

encode_json = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class ListingQuery:
    """The parsed query string of a listing; an empty `format` leaves it to the header Accept.

    If `row` is given, the listing has the record of the row with this id alone.
    """

    filter: ListingFilter
    after: str = ""
    rows: int = ROWS
    format: str = ""
    row: str = ""

    def path(self, dataset: str, **change: str) -> str:
        """Return the address of this listing with some parameters changed."""
        parameters = {
            **{name: getattr(self.filter, name) for name in ("label", "prediction", "group")},
            "show": "" if self.filter.show == "all" else self.filter.show,
            "after": self.after,
            "rows": "" if self.rows == ROWS else str(self.rows),
            "format": self.format,
            "row": self.row,
            **change,
        }
        parameters = {name: value for name, value in parameters.items() if value}
        query = urlencode(parameters, quote_via=quote)
        return f"/records/{dataset}{'?' if query else ''}{query}"


def read_listing_query(parameters: Mapping[str, str]) -> ListingQuery:
    """Parse the parameters of a listing; raises InputError."""
    for name, value in parameters.items():
        if name not in _NAMES:
            raise InputError(name, f"is not a parameter of a listing; use {', '.join(_NAMES)}")
        check_text(name, value)
    show = parameters.get("show", "all")
    if show not in SHOWS:
        raise InputError("show", f"must be one of {', '.join(SHOWS)}", "disagreements")
    group = parameters.get("group", "")
    if group and show not in {"all", "duplicates"}:
        raise InputError("group", "works only with show=duplicates")
    label, prediction = parameters.get("label", ""), parameters.get("prediction", "")
    listing_filter = ListingFilter(show, label, prediction, group)
    rows = _read_rows(parameters.get("rows", str(ROWS)))
    after = parameters.get("after", "")
    row = _read_row(parameters)
    return ListingQuery(listing_filter, after, rows, read_format(parameters), row)


def _read_row(parameters: Mapping[str, str]) -> str:
    row = parameters.get("row", "")
    if "row" in parameters and not row:
        raise InputError("row", "must not be empty; leave it out for all records")
    others = [name for name in _NOT_WITH_ROW if parameters.get(name)]
    if row and others:
        raise InputError("row", f"names one row; leave out {', '.join(others)}")
    return row


def read_format(parameters: Mapping[str, str], formats: Collection[str] = FORMATS) -> str:
    """Return the parameter `format`, "" if it is left out; raises InputError."""
    format_name = parameters.get("format", "")
    if "format" in parameters and format_name not in formats:
        raise InputError("format", f"must be one of {', '.join(formats)}", "json")
    return format_name


def check_text(name: str, value: str) -> None:
    """Raise InputError if a value has characters that the store cannot hold."""
    try:
        normal_text(value)
    except ValueError as error:
        raise InputError(name, str(error)) from None


def _read_rows(text: str) -> int:
    # int() would also accept "1_0" and digits of other scripts.
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_ROWS:
        raise InputError("rows", f"must be a whole number from 1 to {MOST_ROWS}", ROWS)
    return int(text)


def as_json(dataset: str, query: ListingQuery, page: ListingPage) -> bytes:
    """Return a page of a listing as JSON; `next` is the address of the next page, or null."""
    following = public_path(query.path(dataset, after=page.after)) if page.after else None
    records = [
        {
            "key": row.key,
            "inputs": row.inputs,
            "label": row.label,
            "labels": row.labels,
            "origin": row.origin,
            "made_at": row.made_at,
            "answer": row.answer or row.score,
            "score": row.score if row.answer else None,
            "held_out": row.held_out,
            "issue": row.issue,
            "group": row.group,
        }
        for row in page.rows
    ]
    return encode_json({"dataset": dataset, "records": records, "next": following})


def as_csv(spec: DatasetSpec, page: ListingPage) -> bytes:
    """Return a page of a listing as CSV for spreadsheets: a header, then one line per record.

    The column of the target has the label that sums up the others, `labels` has them all.
    """
    # Imported here, with all that reads files: most processes never need it.
    from db.files.prediction.row_answer import unused_names  # noqa: PLC0415
    from db.files.spreadsheet_cell import SpreadsheetCells  # noqa: PLC0415

    output = io.StringIO()
    writer, cells = csv.writer(output), SpreadsheetCells(for_spreadsheet=True)
    more = ("answer", "score", "held_out", "origin", "issue", "group", "labels")
    own = [*spec.fields, spec.target]
    key, *ours = unused_names(["key", *more], set(own))
    writer.writerow([key, *own, *ours])
    regression = spec.kind == "regression"
    for row in page.rows:
        inputs = [row.inputs.get(name) for name in spec.fields]
        answer = [row.answer or row.score, row.score if row.answer else None, row.held_out]
        findings = [row.origin, row.issue, row.group]
        labels = describe_labels(row.labels, regression=regression)
        values = [row.key, *inputs, row.label, *answer, *findings, labels]
        writer.writerow(map(cells.write, values))
    return output.getvalue().encode()
