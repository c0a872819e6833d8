"""Locks that processes and machines take one after the other, as SQLite's writers do anyway."""

from __future__ import annotations

from .statement import Statement, StoreConnection

# Arbitrary numbers, beside those of db.store.dialect.
_REQUESTED_LOCK = 7_301_003
_LABELLING_LOCK = 7_301_004
_lock = Statement("SELECT pg_advisory_xact_lock({}, {})")


def lock_requested(connection: StoreConnection, dataset_id: int) -> None:
    """Wait until no other transaction adds requested inputs to a dataset."""
    _wait_for(connection, _REQUESTED_LOCK, dataset_id)


def lock_labelling(connection: StoreConnection, dataset_id: int) -> None:
    """Wait until no other transaction hands out a dataset's records."""
    _wait_for(connection, _LABELLING_LOCK, dataset_id)


def _wait_for(connection: StoreConnection, lock: int, dataset_id: int) -> None:
    if connection.dialect.name == "postgresql":
        _lock.rows(connection, lock, dataset_id)
