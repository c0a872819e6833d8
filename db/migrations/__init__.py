"""Migrations of the store's tables, which are the only code that runs DDL."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from db.store import tables
from db.store.dialect import lock_upgrade
from db.store.store import Store, schema_version


def upgrade(store: Store) -> str:
    """Create or migrate the tables; return their version.

    Tables that are newer than this code stay as they are: it works with them.
    """
    config = _config()
    with store.writing() as connection:
        lock_upgrade(connection)
        version = schema_version(connection)
        if version is not None and version > tables.SCHEMA:
            return version
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return str(ScriptDirectory.from_config(config).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
