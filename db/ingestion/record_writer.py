"""Writes the records of rows: each set of inputs that is new."""

from __future__ import annotations

import time
from collections.abc import KeysView, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, update

from db.records.encoded_inputs import KEYS_PER_STATEMENT, encode_inputs, slices
from db.store import tables

from .bulk_statements import insert_many_returning, select_listed
from .row import NewRow, RowTarget


@dataclass(frozen=True)
class Records:
    """The ids of records by key, and the labels of those that were there before."""

    ids: dict[bytes, int]
    labels: dict[bytes, str | None]

    @property
    def known(self) -> KeysView[bytes]:
        """The keys of the records that were there before."""
        return self.labels.keys()


def find_or_add_records(
    connection: Connection, target: RowTarget, rows: Sequence[NewRow]
) -> Records:
    """Return the records of rows; those that are not there are added."""
    # All writers lock records in the order of keys, so that they cannot deadlock.
    by_key = {row.key: row for row in sorted(rows, key=lambda row: row.label is not None)}
    keys = sorted(by_key)
    found = _read_records(connection, target.dataset_id, keys)
    requested = [row.id for row in found.values() if row.origin == "request"]
    for part in slices(requested, KEYS_PER_STATEMENT):
        of_request = tables.record.c.id.in_(part)
        connection.execute(update(tables.record).where(of_request).values(origin=target.origin))
    ids = {key: row.id for key, row in found.items()}
    missing = [by_key[key] for key in keys if key not in found]
    ids |= _insert_records(connection, target, missing)
    lost = [row.key for row in missing if row.key not in ids]
    if lost:
        # Another writer has just added the same records.
        found |= _read_records(connection, target.dataset_id, lost)
        ids |= {key: found[key].id for key in lost}
    return Records(ids, {key: row.label for key, row in found.items()})


def _read_records(
    connection: Connection, dataset_id: int, keys: Sequence[bytes]
) -> dict[bytes, Any]:
    """Return the records with these keys, locked so that nobody deletes them meanwhile."""
    query = (
        "SELECT key, id, origin, label FROM {table}"
        " WHERE dataset_id = {dataset} AND key {listed} ORDER BY key {lock}"
    )
    found = select_listed(connection, tables.record, query, dataset_id, keys)
    return {row.key: row for row in found}


def _insert_records(
    connection: Connection, target: RowTarget, rows: Sequence[NewRow]
) -> dict[bytes, int]:
    """Insert records, and return the ids of those that were not there yet, by key."""
    common = {
        "dataset_id": target.dataset_id,
        "origin": target.origin,
        "asked": False,
        "made_at": time.time(),
    }
    values = [(row.key, encode_inputs(row.inputs).decode(), row.label) for row in rows]
    names, returned = ("key", "inputs", "label"), ("key", "id")
    inserted = insert_many_returning(connection, tables.record, common, names, values, returned)
    return dict(inserted)
