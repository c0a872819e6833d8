"""Removal: a dataset with everything that belongs to it."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, delete, select

from db.store.engine import Store
from db.store.generation import raise_generation
from db.store.tables import (
    call_grant,
    chunk,
    dataset,
    meter,
    model,
    progress,
    quarantine,
    record,
    run,
    served,
    snapshot,
)

from .dataset import Dataset
from .record import erase_records

BATCH_RECORDS = 5000
_OTHERS = (call_grant, chunk, meter, model, progress, quarantine, run, served, snapshot)


def drop_dataset(store: Store, found: Dataset) -> int:
    """Erase a dataset with its records, models and figures; returns how many records it had.

    In batches, so that others can write meanwhile; who works on a chunk of it loses that.
    """
    erased = 0
    while count := store.write(partial(_erase_some, found=found)):
        erased += count
    store.write(partial(_erase_rest, found=found))
    return erased


def _erase_some(connection: Connection, found: Dataset) -> int:
    mine = select(record.c.id).where(record.c.dataset_id == found.id)
    ids = list(connection.execute(mine.order_by(record.c.id).limit(BATCH_RECORDS)).scalars())
    erase_records(connection, found.id, ids)
    return len(ids)


def _erase_rest(connection: Connection, found: Dataset) -> None:
    for table in _OTHERS:
        connection.execute(delete(table).where(table.c.dataset_id == found.id))
    connection.execute(delete(dataset).where(dataset.c.id == found.id))
    raise_generation(connection)
