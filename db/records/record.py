"""Records: distinct sets of inputs, identified by their keys."""

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

# Older versions of SQLite accept at most 999 parameters in a statement.
KEYS_PER_STATEMENT = 500

Origin = Literal["import", "api"]

encode_inputs = msgspec.json.Encoder().encode
decode_inputs = msgspec.json.Decoder(dict[str, str | bool | int | float]).decode


@dataclass(frozen=True)
class NewRecord:
    """A record to add; the store may already have one with this key."""

    key: bytes
    inputs: Inputs
    label: str | None = None


@dataclass(frozen=True)
class Record:
    """A record in the store."""

    id: int
    key: bytes
    inputs: Inputs
    label: str | None
    origin: str


@dataclass(frozen=True)
class AddResult:
    """How many of the added rows were new, relabelled, unchanged, or repeats of another row."""

    created: int = 0
    relabelled: int = 0
    unchanged: int = 0
    # Rows with the same inputs as an earlier row of the same call, and those among them whose
    # label differs.
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
    """Add records; an existing record only gets the new label, if there is one.

    A record that was created by a request gets this origin, and is kept like any other.
    """
    merged = _merge(rows)
    existing = _read_existing(connection, dataset_id, list(merged))
    new = [row for key, row in merged.items() if key not in existing]
    repeated = [row for key, row in merged.items() if key in existing]
    relabelled = [
        row for row in repeated if row.label is not None and row.label != existing[row.key].label
    ]
    changed = {row.key for row in repeated if existing[row.key].origin == "request"}
    changed.update(row.key for row in relabelled)
    _insert(connection, dataset_id, new, origin)
    _change(connection, dataset_id, [row for row in repeated if row.key in changed], origin)
    return AddResult(
        len(new),
        len(relabelled),
        len(merged) - len(new) - len(relabelled),
        len(rows) - len(merged),
        _count_contradicted(rows),
    )


def _count_contradicted(rows: Sequence[NewRecord]) -> int:
    """Return how many rows have a different label from the previous row with the same inputs."""
    labels: dict[bytes, str] = {}
    count = 0
    for row in rows:
        if row.label is not None:
            count += labels.setdefault(row.key, row.label) != row.label
            labels[row.key] = row.label
    return count


def _merge(rows: Sequence[NewRecord]) -> dict[bytes, NewRecord]:
    """Return one row for each key, the last one with a label, sorted by key.

    All writers lock records in the order of keys, so that they cannot deadlock.
    """
    merged: dict[bytes, NewRecord] = {}
    for row in rows:
        if row.label is not None or row.key not in merged:
            merged[row.key] = row
    return dict(sorted(merged.items()))


def _read_existing(
    connection: Connection, dataset_id: int, keys: Sequence[bytes]
) -> dict[bytes, Row[bytes, str | None, str]]:
    existing: dict[bytes, Row[bytes, str | None, str]] = {}
    for part in slices(keys, KEYS_PER_STATEMENT):
        query = select(tables.record.c.key, tables.record.c.label, tables.record.c.origin).where(
            tables.record.c.dataset_id == dataset_id, tables.record.c.key.in_(part)
        )
        existing.update({row.key: row for row in connection.execute(query)})
    return existing


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
    # Another writer may have added the same record in the meantime; keep its label.
    label = func.coalesce(excluded("label"), tables.record.c.label)
    upsert(connection, tables.record, values, ("dataset_id", "key"), change={"label": label})


_update_label = (
    update(tables.record)
    .where(
        tables.record.c.dataset_id == bindparam("of_dataset"),
        tables.record.c.key == bindparam("record_key"),
    )
    .values(
        label=func.coalesce(bindparam("new_label"), tables.record.c.label),
        origin=bindparam("new_origin"),
        # The new label has not been checked yet, so the old label's issue no longer applies.
        issue=case(
            (bindparam("new_label") != tables.record.c.label, null()), else_=tables.record.c.issue
        ),
    )
)


def _change(
    connection: Connection, dataset_id: int, rows: Sequence[NewRecord], origin: Origin
) -> None:
    if rows:
        values = [
            {
                "of_dataset": dataset_id,
                "record_key": row.key,
                "new_label": row.label,
                "new_origin": origin,
            }
            for row in rows
        ]
        connection.execute(_update_label, values)


def slices(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Return the parts of a sequence, each of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of at most `size` items."""
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch


def each_record(
    connection: Connection, dataset_id: int, *where: ColumnElement[bool], page: int = 2000
) -> Iterator[Record]:
    """Yield every record by id; read them in pages, so that no transaction stays open for long."""
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


def first_inputs(connection: Connection, dataset_id: int, limit: int) -> list[Inputs]:
    """Return the inputs of the first records by key, at most `limit`."""
    query = select(tables.record.c.inputs).where(tables.record.c.dataset_id == dataset_id)
    rows = connection.execute(query.order_by(tables.record.c.key).limit(limit)).scalars()
    return [decode_inputs(row) for row in rows]


def count_records(connection: Connection, dataset_id: int) -> int:
    """Return how many records a dataset has."""
    query = select(func.count()).where(tables.record.c.dataset_id == dataset_id)
    return connection.execute(query).scalar_one()


def count_stale(connection: Connection, dataset_id: int, revision: int) -> int:
    """Return how many records are stale under this revision of the dataset."""
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
    """Delete a record and everything derived from it; raise UnknownRecord if there is none."""
    of_key = tables.record.c.dataset_id == dataset_id, tables.record.c.key == key
    # The lock waits for a worker that is writing results of this record.
    record_id = connection.execute(
        select(tables.record.c.id).where(*of_key).with_for_update()
    ).scalar()
    if record_id is None:
        raise UnknownRecord(f"no record has the key {key.hex()}")
    erase_records(connection, dataset_id, [record_id])
    raise_generation(connection)


def erase_records(connection: Connection, dataset_id: int, ids: Sequence[int]) -> None:
    """Delete records of a dataset and everything derived from them."""
    for table in (tables.enrichment, tables.quarantine, tables.response):
        connection.execute(delete(table).where(table.c.record_id.in_(ids)))
    keys = select(tables.record.c.key).where(tables.record.c.id.in_(ids))
    connection.execute(
        delete(tables.prediction).where(
            tables.prediction.c.dataset_id == dataset_id, tables.prediction.c.key.in_(keys)
        )
    )
    connection.execute(delete(tables.record).where(tables.record.c.id.in_(ids)))
