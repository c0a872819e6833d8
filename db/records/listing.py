"""Listings: a dataset's records, a page at a time, as quick from a million as from a thousand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, literal_column, select, text, tuple_

from db.errors import InputError
from db.spec.field import Inputs, normal_text
from db.store import tables
from db.store.tables.content import FAR, LISTED

from .record import decode_inputs

Show: TypeAlias = Literal["all", "disagreements", "uncertain", "issues", "duplicates"]
SHOWS: tuple[Show, ...] = get_args(Show)
MOST_ROWS = 1000
# Of rows that an index gives but a second condition refuses: a page takes no longer for them.
MOST_LOOKED_AT = 1500

_ERROR: ColumnElement[Any] = literal_column(FAR)
_columns: dict[str, ColumnElement[Any]] = {
    name: tables.record.c[name] for name in ("label", "answer", "score", "duplicates", "key")
}
_columns["error"] = _ERROR


@dataclass(frozen=True)
class ListingFilter:
    """Which records a listing is of; what is empty does not choose."""

    show: Show = "all"
    label: str = ""
    prediction: str = ""
    group: str = ""


@dataclass(frozen=True)
class ListedRecord:
    """A record as a listing shows it; of answer and score see db.store.tables.content."""

    key: str
    inputs: Inputs
    label: str | None
    origin: str
    made_at: float
    answer: str
    score: float | None
    held_out: bool
    issue: bool | None
    group: str | None


@dataclass(frozen=True)
class ListingPage:
    """Some of a listing; `after` is where the next page begins, "" after the last."""

    rows: list[ListedRecord]
    after: str = ""


@dataclass(frozen=True)
class IndexScan:
    """How a listing is read: an index by its condition, in its order, each page after the last."""

    where: str
    order: tuple[str, ...]
    fixed: Mapping[str, str]
    down: bool = False


def choose_scan(wanted: ListingFilter, *, regression: bool) -> IndexScan:
    """Return the way that an index has for a listing."""
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
    down: bool = False,
) -> IndexScan:
    return IndexScan(LISTED[index][1], order, fixed or {}, down)


_SCANS: dict[Show, IndexScan] = {
    "duplicates": _scan("record_duplicated", ("duplicates", "key")),
    "issues": _scan("record_with_issue", ("key",)),
    "uncertain": _scan("record_unsure", ("score", "key")),
    # Of a regression: the farthest first.
    "disagreements": _scan("record_far", ("error", "key"), down=True),
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
    """Return a page of at most so many records; raises InputError where `after` is none of ours."""
    scan = choose_scan(wanted, regression=regression)
    rest = {"label": wanted.label, "answer": wanted.prediction}
    rest = {name: value for name, value in rest.items() if value and name not in scan.fixed}
    rows = min(rows, MOST_ROWS)
    look_at = MOST_LOOKED_AT if rest else rows
    found = _look(connection, dataset_id, scan, after, look_at + 1, list(rest))
    fitting = [
        one for one in found[:look_at] if all(getattr(one, name) == rest[name] for name in rest)
    ]
    chosen = fitting[:rows]
    if len(fitting) > rows:
        place = _place(chosen[-1], scan)
    else:
        place = _place(found[look_at - 1], scan) if len(found) > look_at else ""
    return ListingPage(_whole(connection, [one.id for one in chosen]), place)


def _look(
    connection: Connection,
    dataset_id: int,
    scan: IndexScan,
    after: str,
    most: int,
    more: Sequence[str],
) -> Sequence[Any]:
    """Return rows of an index in its order: id, what it is ordered by, and `more` columns."""
    order = [_columns[name] for name in scan.order]
    # Nothing that would have to be fetched from the record itself.
    names = dict.fromkeys([*scan.order, *more])
    columns = [tables.record.c.id, *(_columns[name].label(name) for name in names)]
    where: list[Any] = [tables.record.c.dataset_id == dataset_id]
    where += [tables.record.c[name] == value for name, value in scan.fixed.items()]
    if scan.where:
        where.append(text(f"({scan.where})"))
    if after:
        place = tuple_(*_read_place(after, scan))
        where.append(tuple_(*order) < place if scan.down else tuple_(*order) > place)
    sorted_by = [column.desc() for column in order] if scan.down else order
    return connection.execute(select(*columns).where(*where).order_by(*sorted_by).limit(most)).all()


def _place(row: Any, scan: IndexScan) -> str:  # noqa: ANN401
    """Return where a row stands in its listing, as an address can say it."""
    values = [row.key.hex() if name == "key" else getattr(row, name) for name in scan.order]
    return msgspec.json.encode(values).decode() if len(values) > 1 else str(values[0])


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return normal_text(value)


_READ: dict[str, Callable[[Any], Any]] = {"score": float, "error": float, "key": bytes.fromhex}


def _read_place(after: str, scan: IndexScan) -> list[Any]:
    try:
        values = msgspec.json.decode(after) if len(scan.order) > 1 else [after]
        read = [
            _READ.get(name, _read_text)(it) for name, it in zip(scan.order, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, msgspec.DecodeError):
        raise InputError("after", "is not where a page of this listing ends") from None
    return read


def _whole(connection: Connection, ids: list[int]) -> list[ListedRecord]:
    """Return the records, in the order of their ids as given."""
    rows = connection.execute(select(tables.record).where(tables.record.c.id.in_(ids)))
    found = {row.id: row for row in rows}
    return [
        ListedRecord(
            key=row.key.hex(),
            inputs=decode_inputs(row.inputs),
            label=row.label,
            origin=row.origin,
            made_at=row.made_at,
            answer=row.answer,
            score=row.score,
            held_out=row.held_out,
            issue=row.issue,
            group=row.duplicates,
        )
        for row in (found[one] for one in ids if one in found)
    ]
