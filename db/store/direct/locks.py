"""Locks that processes and machines take one after the other, as SQLite's writers do anyway."""

from __future__ import annotations

from .statement import Statement, StoreConnection

# An arbitrary number, beside those of db.store.dialect.
_REQUESTED_LOCK = 7_301_003
_lock = Statement("SELECT pg_advisory_xact_lock({}, {})")


def lock_requested(connection: StoreConnection, dataset_id: int) -> None:
    """Wait until no other transaction adds requested inputs to a dataset."""
    if connection.dialect.name == "postgresql":
        _lock.rows(connection, _REQUESTED_LOCK, dataset_id)
