"""Records: distinct sets of inputs, identified by their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, select

from db.errors import UnknownRecord
from db.spec.field import Inputs
from db.store import tables
from db.store.generation import raise_generation

from .encoded_inputs import decode_inputs


class Record(NamedTuple):
    """A record in the store; `label` sums up the labels of its observations."""

    id: int
    key: bytes
    inputs: Inputs
    label: str | None
    origin: str


def each_record(
    connection: Connection, dataset_id: int, *where: ColumnElement[bool], page: int = 2000
) -> Iterator[Record]:
    """Yield every record by id; read them in pages, so that no transaction stays open for long."""
    last = 0
    column = tables.record.c.dataset_id
    # SQLite would read the whole dataset by the index of its keys, and sort it, for each page; a
    # sum keeps it from that. Labelled records have an index of their own.
    of_dataset = (column if where else column + 0) == dataset_id
    while True:
        query = (
            select(tables.record)
            .where(of_dataset, tables.record.c.id > last, *where)
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


def first_labelled_inputs(connection: Connection, dataset_id: int, limit: int) -> list[Inputs]:
    """Return the inputs of the labelled records that were added first, at most `limit`."""
    record = tables.record.c
    query = select(record.inputs).where(record.dataset_id == dataset_id, record.label.isnot(None))
    rows = connection.execute(query.order_by(record.id).limit(limit)).scalars()
    return [decode_inputs(row) for row in rows]


def count_records(connection: Connection, dataset_id: int) -> int:
    """Return how many records a dataset has."""
    query = select(func.count()).where(tables.record.c.dataset_id == dataset_id)
    return connection.execute(query).scalar_one()


def count_labelled(connection: Connection, dataset_id: int) -> int:
    """Return how many records have a label."""
    record = tables.record.c
    query = select(func.count()).where(record.dataset_id == dataset_id, record.label.isnot(None))
    return connection.execute(query).scalar_one()


def labelled_key(connection: Connection, dataset_id: int, position: int) -> bytes | None:
    """Return the key at a position among the ordered keys of labelled records, None beyond them."""
    record = tables.record.c
    query = select(record.key).where(record.dataset_id == dataset_id, record.label.isnot(None))
    return connection.execute(query.order_by(record.key).offset(position).limit(1)).scalar()


def count_stale(connection: Connection, dataset_id: int, revision: int) -> int:
    """Return how many records are stale under this revision of the dataset."""
    query = select(func.count()).where(
        tables.record.c.dataset_id == dataset_id, tables.record.c.revision < revision
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
    for table in (tables.prediction, tables.served_answer):
        of_records = table.c.dataset_id == dataset_id, table.c.key.in_(keys)
        connection.execute(delete(table).where(*of_records))
    connection.execute(delete(tables.record).where(tables.record.c.id.in_(ids)))
