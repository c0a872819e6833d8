"""Records: rows of inputs, known by their keys."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    delete,
    func,
    null,
    select,
    update,
)

from db.errors import UnknownRecord
from db.spec.field import Inputs
from db.store import tables
from db.store.dialect import excluded, upsert
from db.store.generation import raise_generation

# SQLite once took no more than 999 parameters in a statement.
KEYS_A_STATEMENT = 500

Origin = Literal["import", "api"]

encode_inputs = msgspec.json.Encoder().encode
decode_inputs = msgspec.json.Decoder(dict[str, str | bool | int | float]).decode


@dataclass(frozen=True)
class NewRecord:
    """A record that may be in the store already."""

    key: bytes
    inputs: Inputs
    label: str | None = None


@dataclass(frozen=True)
class Record:
    """A record of the store."""

    id: int
    key: bytes
    inputs: Inputs
    label: str | None
    origin: str


@dataclass(frozen=True)
class AddResult:
    """What became of new records."""

    created: int = 0
    relabelled: int = 0
    unchanged: int = 0
    # Of rows that came together and have the same inputs: all but one, and of these those that
    # have another label.
    repeated: int = 0
    contradicted: int = 0

    def __add__(self, other: AddResult) -> AddResult:
        return AddResult(
            self.created + other.created,
            self.relabelled + other.relabelled,
            self.unchanged + other.unchanged,
            self.repeated + other.repeated,
            self.contradicted + other.contradicted,
        )


def add_records(
    connection: Connection, dataset_id: int, rows: Sequence[NewRecord], origin: Origin
) -> AddResult:
    """Add records; one that is there already only takes the new label, if it has one.

    A record that first came with a request is from then on kept as if it had come this way.
    """
    latest = _merge(rows)
    known = _known(connection, dataset_id, list(latest))
    fresh = [row for key, row in latest.items() if key not in known]
    there = [row for key, row in latest.items() if key in known]
    relabelled = [
        row for row in there if row.label is not None and row.label != known[row.key].label
    ]
    changed = {row.key for row in there if known[row.key].origin == "request"}
    changed.update(row.key for row in relabelled)
    _insert(connection, dataset_id, fresh, origin)
    _change(connection, dataset_id, [row for row in there if row.key in changed], origin)
    return AddResult(
        len(fresh),
        len(relabelled),
        len(latest) - len(fresh) - len(relabelled),
        len(rows) - len(latest),
        _contradicted(rows),
    )


def _contradicted(rows: Sequence[NewRecord]) -> int:
    """Return how many rows have another label than the one before them with the same inputs."""
    labels: dict[bytes, str] = {}
    count = 0
    for row in rows:
        if row.label is not None:
            count += labels.setdefault(row.key, row.label) != row.label
            labels[row.key] = row.label
    return count


def _merge(rows: Sequence[NewRecord]) -> dict[bytes, NewRecord]:
    """Return one row a key, in the order of keys: whoever locks rows does so in one order."""
    latest: dict[bytes, NewRecord] = {}
    for row in rows:
        if row.label is not None or row.key not in latest:
            latest[row.key] = row
    return dict(sorted(latest.items()))


def _known(
    connection: Connection, dataset_id: int, keys: Sequence[bytes]
) -> dict[bytes, Row[bytes, str | None, str]]:
    known: dict[bytes, Row[bytes, str | None, str]] = {}
    for some in slices(keys, KEYS_A_STATEMENT):
        found = select(tables.record.c.key, tables.record.c.label, tables.record.c.origin).where(
            tables.record.c.dataset_id == dataset_id, tables.record.c.key.in_(some)
        )
        known.update({row.key: row for row in connection.execute(found)})
    return known


def _insert(
    connection: Connection, dataset_id: int, rows: Sequence[NewRecord], origin: Origin
) -> None:
    now = time.time()
    values = [
        {
            "dataset_id": dataset_id,
            "key": row.key,
            "inputs": encode_inputs(row.inputs).decode(),
            "label": row.label,
            "origin": origin,
            "asked": False,
            "made_at": now,
        }
        for row in rows
    ]
    # Another writer may have added the same record meanwhile; its label must not be lost.
    label = func.coalesce(excluded("label"), tables.record.c.label)
    upsert(connection, tables.record, values, ("dataset_id", "key"), change={"label": label})


_set = (
    update(tables.record)
    .where(tables.record.c.dataset_id == bindparam("of"), tables.record.c.key == bindparam("known"))
    .values(
        label=func.coalesce(bindparam("new"), tables.record.c.label),
        origin=bindparam("way"),
        # Of the new label nobody has said yet that it is wrong.
        issue=case(
            (bindparam("new") != tables.record.c.label, null()), else_=tables.record.c.issue
        ),
    )
)


def _change(
    connection: Connection, dataset_id: int, rows: Sequence[NewRecord], origin: Origin
) -> None:
    if rows:
        values = [
            {"of": dataset_id, "known": row.key, "new": row.label, "way": origin} for row in rows
        ]
        connection.execute(_set, values)


def slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut a sequence into parts of at most that size."""
    return (items[start : start + size] for start in range(0, len(items), size))


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Collect items into lists of at most that size."""
    source = iter(items)
    while some := list(itertools.islice(source, size)):
        yield some


def each_record(
    connection: Connection, dataset_id: int, *where: ColumnElement[bool], page: int = 2000
) -> Iterator[Record]:
    """Return every record by id, a page at a time, so that no long transaction is held."""
    last = 0
    while True:
        query = (
            select(tables.record)
            .where(tables.record.c.dataset_id == dataset_id, tables.record.c.id > last, *where)
            .order_by(tables.record.c.id)
            .limit(page)
        )
        rows = connection.execute(query).all()
        for row in rows:
            yield Record(row.id, row.key, decode_inputs(row.inputs), row.label, row.origin)
        if len(rows) < page:
            return
        last = rows[-1].id


def some_inputs(connection: Connection, dataset_id: int, most: int) -> list[Inputs]:
    """Return the inputs of a few records, the first by key."""
    query = select(tables.record.c.inputs).where(tables.record.c.dataset_id == dataset_id)
    rows = connection.execute(query.order_by(tables.record.c.key).limit(most)).scalars()
    return [decode_inputs(row) for row in rows]


def count_records(connection: Connection, dataset_id: int) -> int:
    """Return how many records there are."""
    query = select(func.count()).where(tables.record.c.dataset_id == dataset_id)
    return connection.execute(query).scalar_one()


def count_stale(connection: Connection, dataset_id: int, revision: int) -> int:
    """Return how many records are not up to date with a dataset's revision."""
    query = select(func.count()).where(
        tables.record.c.dataset_id == dataset_id, tables.record.c.revision < revision
    )
    return connection.execute(query).scalar_one()


def count_labels(connection: Connection, dataset_id: int) -> int:
    """Return how many records have a label."""
    query = select(func.count()).where(
        tables.record.c.dataset_id == dataset_id, tables.record.c.label.isnot(None)
    )
    return connection.execute(query).scalar_one()


def forget_record(connection: Connection, dataset_id: int, key: bytes) -> None:
    """Erase a record and all that came of it."""
    mine = tables.record.c.dataset_id == dataset_id, tables.record.c.key == key
    # Waits for whoever is just writing what came of it.
    record_id = connection.execute(
        select(tables.record.c.id).where(*mine).with_for_update()
    ).scalar()
    if record_id is None:
        raise UnknownRecord(f"no record has the key {key.hex()}")
    erase_records(connection, dataset_id, [record_id])
    raise_generation(connection)


def erase_records(connection: Connection, dataset_id: int, ids: Sequence[int]) -> None:
    """Erase records of a dataset and all that came of them."""
    for table in (tables.enrichment, tables.quarantine, tables.response):
        connection.execute(delete(table).where(table.c.record_id.in_(ids)))
    keys = select(tables.record.c.key).where(tables.record.c.id.in_(ids))
    connection.execute(
        delete(tables.prediction).where(
            tables.prediction.c.dataset_id == dataset_id, tables.prediction.c.key.in_(keys)
        )
    )
    connection.execute(delete(tables.record).where(tables.record.c.id.in_(ids)))
