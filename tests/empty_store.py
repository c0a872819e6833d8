"""Stores with empty tables: copies of one that is migrated once for all tests of a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import make_url

from db.migrations import upgrade
from db.settings import Settings, load_settings
from db.store.schema_version import schema_version
from db.store.store import Store, connect_store
from db.store.tables import SCHEMA


def settings_for(url: str, **more: str) -> Settings:
    """Return settings loaded from environment variables for this database URL."""
    return load_settings({"DATABASE_URL": url, "CODE_PATHS": "datasets,tests", **more})


def make_store(url: str) -> Store:
    """Return a store whose tables exist."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database is not None:
        _copy_migrated(Path(address.database))
    store = connect_store(settings_for(url))
    if not _has_tables(store):
        upgrade(store)
    return store


def _has_tables(store: Store) -> bool:
    with store.reading() as connection:
        return schema_version(connection) == SCHEMA


def _copy_migrated(path: Path) -> None:
    """Copy a migrated SQLite store to a file that does not exist yet, readable as a store is."""
    if not path.exists() and path.parent.is_dir():
        path.touch(mode=0o600)
        path.write_bytes(_migrated_file())


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


def migrate(url: str) -> None:
    """Create the tables of a store, and leave it closed."""
    store = connect_store(settings_for(url))
    upgrade(store)
    store.close()
