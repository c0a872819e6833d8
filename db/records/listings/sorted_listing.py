"""Listings sorted by any column: all their rows are read and sorted, so they must be few."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from db.errors import InputError
from db.records.encoded_inputs import KEYS_PER_STATEMENT, decode_inputs, slices

from .index_scan import IndexScan, Position, choose_scan, scan_parts
from .listing import MOST_ROWS, ListedRecord, ListingPage, Reading, read_records, row_filter
from .listing_filter import ListingFilter, ListingSort

MOST_SORTED_ROWS = 10_000
# Of longer texts only so much is compared, since all are kept while they are sorted.
SORTED_CHARACTERS = 200
_READ = ("label", "answer", "score", "made_at", "key")


def sort_records(  # noqa: PLR0913  what a page has in its address
    connection: Connection,
    dataset_id: int,
    wanted: ListingFilter,
    order: ListingSort,
    *,
    regression: bool,
    after: str = "",
    rows: int = 50,
) -> ListingPage:
    """Return a page of a listing in another order; the cursors are numbers of rows.

    Raises InputError if the listing has more than MOST_SORTED_ROWS records.
    """
    start, rows = _read_start(after), min(rows, MOST_ROWS)
    ids = sorted_ids(connection, dataset_id, wanted, order, regression=regression)
    page = read_records(connection, ids[start : start + rows])
    following = str(start + rows) if start + rows < len(ids) else ""
    return ListingPage(page, following, str(max(start - rows, 0)) if start else "")


def sorted_pages(
    reading: Reading,
    dataset_id: int,
    wanted: ListingFilter,
    order: ListingSort,
    *,
    regression: bool,
) -> Iterator[list[ListedRecord]]:
    """Yield all records of a listing in another order, in pages, as `each_page` does."""
    with reading() as connection:
        ids = sorted_ids(connection, dataset_id, wanted, order, regression=regression)
    for part in slices(ids, KEYS_PER_STATEMENT):
        with reading() as connection:
            records = read_records(connection, part)
        yield records


def sorted_ids(
    connection: Connection,
    dataset_id: int,
    wanted: ListingFilter,
    order: ListingSort,
    *,
    regression: bool,
) -> list[int]:
    """Return the ids of a listing's records in an order; raises InputError if they are too many."""
    scan = choose_scan(wanted, regression=regression)
    matches = row_filter(wanted, scan)
    inputs = () if order.is_own and not wanted.text else ("inputs",)
    found = [
        (_value(row, order), row.id)
        for row in _scan_all(connection, dataset_id, scan, (*_READ, *inputs))
        if matches(row)
    ]
    present = [(value, record_id) for value, record_id in found if value is not None]
    present.sort(key=lambda pair: pair[0], reverse=order.descending)
    # Records without a value come last in either direction.
    absent = [record_id for value, record_id in found if value is None]
    return [record_id for _, record_id in present] + absent


def _scan_all(
    connection: Connection, dataset_id: int, scan: IndexScan, columns: tuple[str, ...]
) -> Iterator[Any]:
    """Yield all rows of a listing; raises InputError at the end if there are too many."""
    position = Position(extra=columns)
    parts = scan_parts(connection, dataset_id, scan, position, MOST_SORTED_ROWS + 1)
    for number, row in enumerate(itertools.chain.from_iterable(parts)):
        if number == MOST_SORTED_ROWS:
            raise InputError(
                "sort",
                f"works on at most {MOST_SORTED_ROWS:,} records, and this listing has more; filter"
                " it by show, label or prediction, or leave sort out",
            )
        yield row


def _value(row: Any, order: ListingSort) -> tuple[int, float, str] | None:  # noqa: ANN401
    """Return what a row is sorted by, numbers before texts, None where there is nothing."""
    value = _own_value(row, order.name) if order.is_own else decode_inputs(row.inputs)[order.name]
    if value is None:
        return None
    if isinstance(value, str):
        return (1, 0.0, value[:SORTED_CHARACTERS].casefold())
    return (0, float(value), "")


def _own_value(row: Any, name: str) -> str | float | None:  # noqa: ANN401
    is_number = not row.answer and row.score is not None
    match name:
        case "label":
            return _number_or_text(row.label) if not row.answer else row.label
        case "prediction":
            return row.score if is_number else row.answer or None
        case "confidence":
            return None if is_number else row.score
        case "residual":
            return float(row.label) - row.score if is_number and row.label is not None else None
        case _:
            return float(row.made_at)


def _number_or_text(label: str | None) -> str | float | None:
    try:
        return None if label is None else float(label)
    except ValueError:
        return label


def _read_start(after: str) -> int:
    if not after:
        return 0
    if not after.isascii() or not after.isdigit() or int(after) > MOST_SORTED_ROWS:
        raise InputError("after", "is not a position in this listing; leave it out")
    return int(after)
