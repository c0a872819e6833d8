"""Removal: a dataset with everything that belongs to it."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.engine import Store
from db.store.generation import raise_generation

from .dataset import Dataset
from .record import erase_records

BATCH_RECORDS = 5000
_OTHERS = (
    tables.call_grant,
    tables.chunk,
    tables.meter,
    tables.model,
    tables.progress,
    tables.quarantine,
    tables.run,
    tables.served,
    tables.snapshot,
)


def drop_dataset(store: Store, dataset: Dataset) -> int:
    """Erase a dataset with its records, models and figures; returns how many records it had.

    In batches, so that others can write meanwhile; who works on a chunk of it loses that.
    """
    erased = 0
    while count := store.write(partial(_erase_some, dataset=dataset)):
        erased += count
    store.write(partial(_erase_rest, dataset=dataset))
    return erased


def _erase_some(connection: Connection, dataset: Dataset) -> int:
    mine = select(tables.record.c.id).where(tables.record.c.dataset_id == dataset.id)
    ids = list(connection.execute(mine.order_by(tables.record.c.id).limit(BATCH_RECORDS)).scalars())
    erase_records(connection, dataset.id, ids)
    return len(ids)


def _erase_rest(connection: Connection, dataset: Dataset) -> None:
    for table in _OTHERS:
        connection.execute(delete(table).where(table.c.dataset_id == dataset.id))
    connection.execute(delete(tables.dataset).where(tables.dataset.c.id == dataset.id))
    raise_generation(connection)
