"""How a listing reads its index: which condition, order and position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select, text, tuple_

from db.errors import InputError
from db.spec.normalization import normal_text
from db.store import tables
from db.store.tables.records import ABSOLUTE_ERROR, LISTING_INDEXES, UNLABELLED_SCORE

from .listing_filter import ListingFilter, Show

# Counting more would take longer than the rest of the page.
MOST_COUNTED = 100_000
# The rows of a statement that reads inputs, each of which may have 20,000 characters.
PART_ROWS = 250

_columns: dict[str, ColumnElement[Any]] = {
    name: tables.record.c[name]
    for name in ("label", "answer", "score", "duplicates", "key", "made_at", "inputs")
}
_columns["error"] = literal_column(ABSOLUTE_ERROR)
_columns["doubt"] = literal_column(UNLABELLED_SCORE)


@dataclass(frozen=True)
class IndexScan:
    """The condition, the order, columns with a fixed value, and values that rows must have."""

    where: str
    order: tuple[str, ...]
    fixed: Mapping[str, str] = field(default_factory=dict)
    descending: bool = False
    rest: Mapping[str, str] = field(default_factory=dict)


def choose_scan(wanted: ListingFilter, *, regression: bool) -> IndexScan:
    """Return the index scan that reads a listing in order."""
    scan = _choose(wanted, regression=regression)
    rest = {"label": wanted.label, "answer": wanted.prediction}
    rest = {name: value for name, value in rest.items() if value and name not in scan.fixed}
    return IndexScan(scan.where, scan.order, scan.fixed, scan.descending, rest)


def _choose(wanted: ListingFilter, *, regression: bool) -> IndexScan:
    if wanted.group:
        return _scan("record_duplicated", ("key",), {"duplicates": wanted.group})
    if wanted.show == "disagreements" and not regression:
        return _by_label("record_contradicted", wanted) if wanted.label else _SUREST_FIRST
    if wanted.show != "all":
        return _SCANS[wanted.show]
    if wanted.label:
        return _by_label("record_by_label", wanted)
    if wanted.prediction:
        return _scan("record_by_answer", ("key",), {"answer": wanted.prediction})
    return IndexScan("", ("key",))


def _by_label(index: str, wanted: ListingFilter) -> IndexScan:
    if wanted.prediction:
        return _scan(index, ("key",), {"label": wanted.label, "answer": wanted.prediction})
    return _scan(index, ("answer", "key"), {"label": wanted.label})


def _scan(
    index: str,
    order: tuple[str, ...],
    fixed: Mapping[str, str] | None = None,
    *,
    descending: bool = False,
) -> IndexScan:
    return IndexScan(LISTING_INDEXES[index][1], order, fixed or {}, descending)


# Among disagreements, where the label is wrong most often.
_SUREST_FIRST = _scan("record_mistaken", ("score", "key"), descending=True)
_SCANS: dict[Show, IndexScan] = {
    "unlabelled": _scan("record_unlabelled", ("doubt", "key")),
    # The newest first.
    "asked": _scan("record_asked", ("made_at", "key"), descending=True),
    "duplicates": _scan("record_duplicated", ("duplicates", "key")),
    "issues": _scan("record_with_issue", ("key",)),
    "uncertain": _scan("record_unsure", ("score", "key")),
    # For a regression: the largest error first.
    "disagreements": _scan("record_far", ("error", "key"), descending=True),
}


def scan_rows(
    connection: Connection, dataset_id: int, scan: IndexScan, position: Position, limit: int
) -> Sequence[Any]:
    """Return the first rows from a position on, in the order in which it is read.

    Each row has the id, and the columns of the order and of the values that it must have.
    """
    order = [_columns[name] for name in scan.order]
    # Only columns of the index, so that the records themselves are not read.
    names = dict.fromkeys([*scan.order, *scan.rest, *position.extra])
    columns = [tables.record.c.id, *(_columns[name].label(name) for name in names)]
    query = select(*columns).where(*_conditions(dataset_id, scan))
    falls = scan.descending != position.backward
    if position.cursor:
        cursor = tuple_(*decode_cursor(position.cursor, scan))
        query = query.where(tuple_(*order) < cursor if falls else tuple_(*order) > cursor)
    sorted_by = [column.desc() for column in order] if falls else order
    return connection.execute(query.order_by(*sorted_by).limit(limit)).all()


def scan_parts(
    connection: Connection, dataset_id: int, scan: IndexScan, position: Position, limit: int
) -> Iterator[Sequence[Any]]:
    """Yield the rows that `scan_rows` returns in parts, since all their inputs may be large."""
    left = limit
    while left > 0:
        wanted = min(left, PART_ROWS)
        rows = scan_rows(connection, dataset_id, scan, position, wanted)
        yield rows
        if len(rows) < wanted:
            return
        left -= wanted
        position = replace(position, cursor=encode_cursor(rows[-1], scan))


@dataclass(frozen=True)
class Position:
    """Where a scan begins: after a cursor, or before it; with more columns to read than usual."""

    cursor: str = ""
    backward: bool = False
    extra: tuple[str, ...] = ()


def count_rows(connection: Connection, dataset_id: int, scan: IndexScan) -> int:
    """Return how many records a listing has, MOST_COUNTED + 1 if it has more than MOST_COUNTED."""
    matching: Select[Any] = select(tables.record.c.id).where(*_conditions(dataset_id, scan))
    for name, value in scan.rest.items():
        matching = matching.where(_columns[name] == value)
    few = matching.limit(MOST_COUNTED + 1).subquery()
    return connection.execute(select(func.count()).select_from(few)).scalar_one()


def _conditions(dataset_id: int, scan: IndexScan) -> list[Any]:
    where: list[Any] = [tables.record.c.dataset_id == dataset_id]
    where += [tables.record.c[name] == value for name, value in scan.fixed.items()]
    return [*where, text(f"({scan.where})")] if scan.where else where


def encode_cursor(row: Any, scan: IndexScan) -> str:  # noqa: ANN401
    """Return a row's position in its listing as text for a URL."""
    values = [row.key.hex() if name == "key" else getattr(row, name) for name in scan.order]
    return msgspec.json.encode(values).decode() if len(values) > 1 else str(values[0])


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return normal_text(value)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("score", "error", "doubt", "made_at"), float),
    "key": bytes.fromhex,
}


def decode_cursor(cursor: str, scan: IndexScan) -> list[Any]:
    """Return the values of a position; raises InputError if no page of the listing returned it."""
    try:
        values = msgspec.json.decode(cursor) if len(scan.order) > 1 else [cursor]
        return [
            _DECODERS.get(name, _read_text)(value)
            for name, value in zip(scan.order, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, msgspec.DecodeError):
        raise InputError(
            "after", "is not a position in this listing; leave it out for the first page"
        ) from None
