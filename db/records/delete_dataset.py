"""Deletion of a dataset and everything that belongs to it."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, delete, select, update

from db.store import tables
from db.store.generation import raise_generation
from db.store.store import Store

from .dataset import Dataset
from .record import erase_records

BATCH_RECORDS = 5000
_DATASET_TABLES = (
    tables.call_grant,
    tables.chunk,
    tables.meter,
    tables.model,
    tables.progress,
    tables.quarantine,
    tables.run,
    tables.served,
    tables.snapshot,
    tables.submission,
)


def drop_dataset(store: Store, dataset: Dataset) -> int:
    """Delete a dataset with its records, models and counts; return how many records it had.

    Records are deleted in batches, so that other processes can write in between. A worker that
    has a chunk of the dataset loses its lease. The model is deactivated first, by which a running
    publication sees that records are not missing but being deleted.
    """
    store.write(partial(_deactivate_models, dataset=dataset))
    deleted = 0
    while count := store.write(partial(_delete_batch, dataset=dataset)):
        deleted += count
    store.write(partial(_delete_dataset, dataset=dataset))
    return deleted


def _deactivate_models(connection: Connection, dataset: Dataset) -> None:
    of_dataset = tables.model.c.dataset_id == dataset.id
    connection.execute(update(tables.model).where(of_dataset).values(active=False))


def _delete_batch(connection: Connection, dataset: Dataset) -> int:
    ids_query = select(tables.record.c.id).where(tables.record.c.dataset_id == dataset.id)
    ids_query = ids_query.order_by(tables.record.c.id).limit(BATCH_RECORDS)
    ids = list(connection.execute(ids_query).scalars())
    erase_records(connection, dataset.id, ids)
    return len(ids)


def _delete_dataset(connection: Connection, dataset: Dataset) -> None:
    for table in _DATASET_TABLES:
        connection.execute(delete(table).where(table.c.dataset_id == dataset.id))
    connection.execute(delete(tables.dataset).where(tables.dataset.c.id == dataset.id))
    raise_generation(connection)
