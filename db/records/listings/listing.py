"""Listings: pages of a dataset's records, read from an index, so that size does not slow them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, literal_column, select, text, tuple_

from db.errors import InputError
from db.spec.field import Inputs
from db.spec.normalization import normal_text
from db.store import tables
from db.store.tables.records import ABSOLUTE_ERROR, LISTING_INDEXES

from .observation import count_labels_of
from .record import decode_inputs

Show: TypeAlias = Literal["all", "disagreements", "uncertain", "issues", "duplicates"]
SHOWS: tuple[Show, ...] = get_args(Show)
MOST_ROWS = 1000
# The most rows that a page reads from its index if a second condition filters them.
MOST_SCANNED_ROWS = 1500

_ERROR: ColumnElement[Any] = literal_column(ABSOLUTE_ERROR)
_columns: dict[str, ColumnElement[Any]] = {
    name: tables.record.c[name] for name in ("label", "answer", "score", "duplicates", "key")
}
_columns["error"] = _ERROR


@dataclass(frozen=True)
class ListingFilter:
    """Which records a listing shows; an empty string does not filter."""

    show: Show = "all"
    label: str = ""
    prediction: str = ""
    group: str = ""


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


@dataclass(frozen=True)
class ListingPage:
    """One page of a listing; `after` is the cursor of the next page, "" on the last page."""

    rows: list[ListedRecord]
    after: str = ""


@dataclass(frozen=True)
class IndexScan:
    """How a listing reads its index: the condition, the order, and columns with a fixed value."""

    where: str
    order: tuple[str, ...]
    fixed: Mapping[str, str]
    descending: bool = False


def choose_scan(wanted: ListingFilter, *, regression: bool) -> IndexScan:
    """Return the index scan that reads a listing in order."""
    if wanted.group:
        return _scan("record_duplicated", ("key",), {"duplicates": wanted.group})
    if wanted.show == "disagreements" and not regression:
        return _by_label("record_contradicted", wanted)
    if wanted.show != "all":
        return _SCANS[wanted.show]
    if wanted.label:
        return _by_label("record_by_label", wanted)
    if wanted.prediction:
        return _scan("record_by_answer", ("key",), {"answer": wanted.prediction})
    return IndexScan("", ("key",), {})


def _by_label(index: str, wanted: ListingFilter) -> IndexScan:
    if wanted.label and wanted.prediction:
        return _scan(index, ("key",), {"label": wanted.label, "answer": wanted.prediction})
    if wanted.label:
        return _scan(index, ("answer", "key"), {"label": wanted.label})
    return _scan(index, ("label", "answer", "key"))


def _scan(
    index: str,
    order: tuple[str, ...],
    fixed: Mapping[str, str] | None = None,
    *,
    descending: bool = False,
) -> IndexScan:
    return IndexScan(LISTING_INDEXES[index][1], order, fixed or {}, descending)


_SCANS: dict[Show, IndexScan] = {
    "duplicates": _scan("record_duplicated", ("duplicates", "key")),
    "issues": _scan("record_with_issue", ("key",)),
    "uncertain": _scan("record_unsure", ("score", "key")),
    # For a regression: the largest error first.
    "disagreements": _scan("record_far", ("error", "key"), descending=True),
}


def list_records(
    connection: Connection,
    dataset_id: int,
    wanted: ListingFilter,
    *,
    regression: bool,
    after: str = "",
    rows: int = 50,
) -> ListingPage:
    """Return a page of at most `rows` records; raise InputError if `after` is not a cursor."""
    scan = choose_scan(wanted, regression=regression)
    rest = {"label": wanted.label, "answer": wanted.prediction}
    rest = {name: value for name, value in rest.items() if value and name not in scan.fixed}
    rows = min(rows, MOST_ROWS)
    limit = MOST_SCANNED_ROWS if rest else rows
    # One row more shows whether there is another page.
    scanned = _scan_index(connection, dataset_id, scan, after, limit + 1, list(rest))
    matching = [
        row for row in scanned[:limit] if all(getattr(row, name) == rest[name] for name in rest)
    ]
    page = matching[:rows]
    if len(matching) > rows:
        cursor = _encode_cursor(page[-1], scan)
    else:
        cursor = _encode_cursor(scanned[limit - 1], scan) if len(scanned) > limit else ""
    return ListingPage(_read_records(connection, [row.id for row in page]), cursor)


def _scan_index(
    connection: Connection,
    dataset_id: int,
    scan: IndexScan,
    after: str,
    limit: int,
    extra: Sequence[str],
) -> Sequence[Any]:
    """Return rows of an index in its order: the id, the order's columns, and the `extra` ones."""
    order = [_columns[name] for name in scan.order]
    # Select only columns of the index, so that the records themselves are not read.
    names = dict.fromkeys([*scan.order, *extra])
    columns = [tables.record.c.id, *(_columns[name].label(name) for name in names)]
    where: list[Any] = [tables.record.c.dataset_id == dataset_id]
    where += [tables.record.c[name] == value for name, value in scan.fixed.items()]
    if scan.where:
        where.append(text(f"({scan.where})"))
    if after:
        cursor = tuple_(*_decode_cursor(after, scan))
        where.append(tuple_(*order) < cursor if scan.descending else tuple_(*order) > cursor)
    sorted_by = [column.desc() for column in order] if scan.descending else order
    query = select(*columns).where(*where).order_by(*sorted_by).limit(limit)
    return connection.execute(query).all()


def _encode_cursor(row: Any, scan: IndexScan) -> str:  # noqa: ANN401
    """Return a row's position in its listing as text for a URL."""
    values = [row.key.hex() if name == "key" else getattr(row, name) for name in scan.order]
    return msgspec.json.encode(values).decode() if len(values) > 1 else str(values[0])


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return normal_text(value)


_DECODERS: dict[str, Callable[[Any], Any]] = {"score": float, "error": float, "key": bytes.fromhex}


def _decode_cursor(after: str, scan: IndexScan) -> list[Any]:
    try:
        values = msgspec.json.decode(after) if len(scan.order) > 1 else [after]
        return [
            _DECODERS.get(name, _read_text)(value)
            for name, value in zip(scan.order, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, msgspec.DecodeError):
        raise InputError(
            "after", "is not a position in this listing; leave it out for the first page"
        ) from None


def _read_records(connection: Connection, ids: list[int]) -> list[ListedRecord]:
    """Return the records with these ids, in this order, except those deleted meanwhile."""
    rows = connection.execute(select(tables.record).where(tables.record.c.id.in_(ids)))
    by_id = {row.id: row for row in rows}
    labels = count_labels_of(connection, ids)
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
        )
        for row in (by_id[record_id] for record_id in ids if record_id in by_id)
    ]
