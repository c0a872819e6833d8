"""Listings of records as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec

from db.records.listings.listing import ListedRecord, ListingPage
from db.records.observation import describe_labels
from db.spec.dataset_spec import DatasetSpec
from serve.api.response import public_path

from .listing_query import ListingQuery

encode_json = msgspec.json.Encoder().encode


def as_json(
    dataset: str, query: ListingQuery, page: ListingPage, total: int | None = None
) -> bytes:
    """Return a page of a listing as JSON.

    `next` and `previous` are the addresses of its neighbours, or null. `total` is null where the
    records are not counted: in a search, and where they are too many.
    """
    records = [
        {
            "key": row.key,
            "row_id": row.row_ids.first or None,
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
    following, previous = next_path(dataset, query, page), previous_path(dataset, query, page)
    return encode_json(
        {
            "dataset": dataset,
            "total": total,
            "records": records,
            "next": public_path(following) if following else None,
            "previous": public_path(previous) if previous else None,
        }
    )


def next_path(dataset: str, query: ListingQuery, page: ListingPage) -> str:
    """Return the address of the next page, "" on the last one."""
    return query.path(dataset, after=page.after, before="") if page.after else ""


def previous_path(dataset: str, query: ListingQuery, page: ListingPage) -> str:
    """Return the address of the page before, "" on the first one."""
    if not page.before:
        return ""
    if query.sort:
        # Positions in a sorted listing are numbers of rows.
        return query.path(dataset, after="" if page.before == "0" else page.before)
    return query.path(dataset, before=page.before, after="")


def as_csv(spec: DatasetSpec, pages: Iterable[list[ListedRecord]]) -> Iterator[bytes]:
    """Yield pages of a listing as CSV for spreadsheets: a header, then one line per record.

    The row id follows the key, in a dataset that has one. The column of the target has the label
    that sums up the others, `labels` has them all.
    """
    # Imported here, with all that reads files: most processes never need it.
    from db.files.prediction.row_answer import unused_names  # noqa: PLC0415
    from db.files.spreadsheet_cell import SpreadsheetCells  # noqa: PLC0415

    cells = SpreadsheetCells(for_spreadsheet=True)
    more = ("answer", "score", "held_out", "origin", "issue", "group", "labels")
    own = [*([spec.id] if spec.id else []), *spec.fields, spec.target]
    key, *ours = unused_names(["key", *more], set(own))
    yield _lines([[key, *own, *ours]])
    for page in pages:
        yield _lines([[cells.write(value) for value in _values(spec, row)] for row in page])


def _lines(rows: Iterable[list[object]]) -> bytes:
    output = io.StringIO()
    csv.writer(output).writerows(rows)
    return output.getvalue().encode()


def _values(spec: DatasetSpec, row: ListedRecord) -> list[object]:
    inputs = [row.inputs.get(name) for name in spec.fields]
    answer = [row.answer or row.score, row.score if row.answer else None, row.held_out]
    findings = [row.origin, row.issue, row.group]
    labels = describe_labels(row.labels, regression=spec.kind == "regression")
    row_id = [row.row_ids.describe()] if spec.id else []
    return [row.key, *row_id, *inputs, row.label, *answer, *findings, labels]
