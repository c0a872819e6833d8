"""Listings: pages of a dataset's records, read from an index, so that size does not slow them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, select

from db.records.encoded_inputs import decode_inputs
from db.records.observation import NO_ROW_IDS, RowIds, count_labels_of, row_ids_of
from db.spec.field import Inputs
from db.store import tables

from .index_scan import IndexScan, Position, choose_scan, encode_cursor, scan_parts
from .listing_filter import ListingFilter
from .text_search import contains_text, search_pattern

MOST_ROWS = 1000
# The most rows that a page reads from its index if a second condition filters them, and the most
# inputs that it searches.
MOST_SCANNED_ROWS = 1500
MOST_SEARCHED_ROWS = 5000
# Begins to read the store.
Reading: TypeAlias = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class ListedRecord:
    """A record as a listing shows it; for answer and score see db.store.tables.records.

    `labels` counts the labels of its observations, and `label` sums them up.
    """

    key: str
    inputs: Inputs
    label: str | None
    labels: Mapping[str, int]
    origin: str
    made_at: float
    answer: str
    score: float | None
    held_out: bool
    issue: bool | None
    group: str | None
    row_ids: RowIds = NO_ROW_IDS


@dataclass(frozen=True)
class ListingPage:
    """One page of a listing; `after` and `before` are the cursors of its neighbours, "" at an end.

    A page without rows may have a cursor: the search has not come to its end.
    """

    rows: list[ListedRecord]
    after: str = ""
    before: str = ""


def list_records(  # noqa: PLR0913  what a page has in its address
    connection: Connection,
    dataset_id: int,
    wanted: ListingFilter,
    *,
    regression: bool,
    after: str = "",
    before: str = "",
    rows: int = 50,
) -> ListingPage:
    """Return a page of at most `rows` records, after a cursor or before one.

    Raises InputError if it is not a cursor.
    """
    scan = choose_scan(wanted, regression=regression)
    rows = min(rows, MOST_ROWS)
    extra = ("inputs",) if wanted.text else ()
    position = Position(before or after, backward=bool(before), extra=extra)
    limit = _scan_limit(wanted, scan, rows)
    # One row more shows whether there is another page.
    parts = scan_parts(connection, dataset_id, scan, position, limit + 1)
    page, last = _first_matches(parts, row_filter(wanted, scan), rows, limit)
    further = encode_cursor(last, scan) if last is not None else ""
    return _page(connection, page, scan, position, further)


def _first_matches(
    parts: Iterable[Sequence[Any]], matches: Callable[[Any], bool], rows: int, limit: int
) -> tuple[list[Any], Any]:
    """Return the first `rows` matches among `limit` rows, and where to go on, None at the end."""
    page: list[Any] = []
    last = None
    for number, row in enumerate(itertools.chain.from_iterable(parts)):
        if number == limit:
            return page, last
        if matches(row):
            if len(page) == rows:
                return page, page[-1]
            page.append(row)
        last = row
    return page, None


def _scan_limit(wanted: ListingFilter, scan: IndexScan, rows: int) -> int:
    if wanted.text:
        return MOST_SEARCHED_ROWS
    return MOST_SCANNED_ROWS if scan.rest else rows


def row_filter(wanted: ListingFilter, scan: IndexScan) -> Callable[[Any], bool]:
    """Return the function that tells whether a scanned row is in the listing."""
    pattern = search_pattern(wanted.text)
    return lambda row: (
        all(getattr(row, name) == value for name, value in scan.rest.items())
        and (not pattern or contains_text(row.inputs, pattern))
    )


def _page(
    connection: Connection,
    page: list[Any],
    scan: IndexScan,
    position: Position,
    further: str,
) -> ListingPage:
    """Return a page with its cursors; `further` is the next one in the direction of reading."""
    ordered = page[::-1] if position.backward else page
    records = read_records(connection, [row.id for row in ordered])
    if not position.backward:
        behind = encode_cursor(ordered[0], scan) if ordered else position.cursor
        return ListingPage(records, further, behind if position.cursor else "")
    ahead = encode_cursor(ordered[-1], scan) if ordered else position.cursor
    return ListingPage(records, ahead, further)


def each_page(
    reading: Reading, dataset_id: int, wanted: ListingFilter, *, regression: bool, rows: int
) -> Iterator[list[ListedRecord]]:
    """Yield the records of a whole listing, in pages; no connection is held between two of them."""
    after = ""
    while True:
        with reading() as connection:
            page = list_records(
                connection, dataset_id, wanted, regression=regression, after=after, rows=rows
            )
        yield page.rows
        after = page.after
        if not after:
            return


def read_records(connection: Connection, ids: Sequence[int]) -> list[ListedRecord]:
    """Return the records with these ids, in this order, except those deleted meanwhile."""
    rows = connection.execute(select(tables.record).where(tables.record.c.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    labels, row_ids = count_labels_of(connection, ids), row_ids_of(connection, ids)
    return [
        ListedRecord(
            key=row.key.hex(),
            inputs=decode_inputs(row.inputs),
            label=row.label,
            labels=labels.get(row.id, {}),
            origin=row.origin,
            made_at=row.made_at,
            answer=row.answer,
            score=row.score,
            held_out=row.held_out,
            issue=row.issue,
            group=row.duplicates,
            row_ids=row_ids.get(row.id, NO_ROW_IDS),
        )
        for row in (by_id[record_id] for record_id in ids if record_id in by_id)
    ]
