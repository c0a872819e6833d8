"""Scans: in which order a queue reads the records of a dataset, page by page from an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import ColumnElement, Connection, Select, literal_column, select, text, tuple_

from db.store import tables
from db.store.tables.records import (
    ABSOLUTE_ERROR,
    LISTING_INDEXES,
    UNCERTAIN_SCORE,
    UNLABELLED_SCORE,
)

Order: TypeAlias = Literal["uncertain", "disagreements", "issues", "sample", "asked"]
ORDERS: tuple[Order, ...] = get_args(Order)
# What one statement reads of an index, and what all statements of one search read.
PAGE_ROWS = 200
MOST_SCANNED_ROWS = 4000

_columns: dict[str, ColumnElement[Any]] = {
    **{name: tables.record.c[name] for name in ("score", "key", "made_at")},
    "error": literal_column(ABSOLUTE_ERROR),
    "doubt": literal_column(UNLABELLED_SCORE),
}


@dataclass(frozen=True)
class QueueScan:
    """The rows of an index in its order; `where` has the index's own condition literally.

    A scan may pass over labelled records, and may put the widest intervals of a page first.
    """

    where: str
    order: tuple[str, ...]
    descending: bool = False
    only_unlabelled: bool = False
    widest_first: bool = False


def _of_index(name: str, *order: str, more: str = "", descending: bool = False) -> QueueScan:
    condition = LISTING_INDEXES[name][1]
    return QueueScan(f"{condition} AND {more}" if more else condition, order, descending)


# Records that have no answer yet come last.
_UNLABELLED = _of_index("record_unlabelled", "doubt", "key")
UNSURE = _of_index(
    "record_unlabelled", "doubt", "key", more=f"{UNLABELLED_SCORE} < {UNCERTAIN_SCORE}"
)
# Keys are hashes: their order is as good as chance, and has nothing to do with the inputs.
_SAMPLE = QueueScan("", ("key",))
_WIDEST = QueueScan("", ("key",), only_unlabelled=True, widest_first=True)
_REQUESTED = LISTING_INDEXES["record_asked"][1]
_ASKED = QueueScan(_REQUESTED, ("made_at", "key"), descending=True, only_unlabelled=True)
_SCANS: dict[Order, tuple[QueueScan, ...]] = {
    "uncertain": (_UNLABELLED,),
    "disagreements": (_of_index("record_mistaken", "score", "key", descending=True),),
    "issues": (_of_index("record_with_issue", "key"),),
    "sample": (_SAMPLE,),
    "asked": (_ASKED,),
}
_SCANS_OF_NUMBERS: dict[Order, tuple[QueueScan, ...]] = {
    **_SCANS,
    # The second one finds what is left where nearly all records have a label.
    "uncertain": (_WIDEST, _UNLABELLED),
    "disagreements": (_of_index("record_far", "error", "key", descending=True),),
}


def scans_of(order: Order, *, regression: bool) -> tuple[QueueScan, ...]:
    """Return the scans that find the records of an order, the first ones first."""
    return (_SCANS_OF_NUMBERS if regression else _SCANS)[order]


def scan_pages(
    connection: Connection, dataset_id: int, scan: QueueScan, after: tuple[Any, ...] | None = None
) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Yield the ids and keys of a scan's records in pages, at most MOST_SCANNED_ROWS in all.

    They begin after a place in the order, or at its start for None.
    """
    for _page in range(MOST_SCANNED_ROWS // PAGE_ROWS):
        rows = connection.execute(page_query(dataset_id, scan, after)).all()
        yield [(row.id, row.key) for row in rows if row.label is None or not scan.only_unlabelled]
        if len(rows) < PAGE_ROWS:
            return
        after = tuple(getattr(rows[-1], name) for name in scan.order)


def page_query(
    dataset_id: int, scan: QueueScan, after: tuple[Any, ...] | None = None
) -> Select[Any]:
    """Return the query of a page: the rows after a place in the order, from its start for None."""
    record = tables.record.c
    order = [_columns[name] for name in scan.order]
    names = [name for name in scan.order if name != "key"]
    shown = [record.id, record.key, record.label, *(_columns[name].label(name) for name in names)]
    where: list[Any] = [record.dataset_id == dataset_id]
    if scan.where:
        where.append(text(f"({scan.where})"))
    if after is not None:
        place = tuple_(*order)
        where.append(place < tuple_(*after) if scan.descending else place > tuple_(*after))
    sorted_by = [column.desc() for column in order] if scan.descending else order
    return select(*shown).where(*where).order_by(*sorted_by).limit(PAGE_ROWS)
