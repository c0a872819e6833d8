"""Migrations of the store's tables, which are the only code that runs DDL."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, update
from sqlalchemy.exc import DBAPIError

from db.errors import StoreError
from db.store import tables
from db.store.direct.place import OWN_SCHEMA
from db.store.direct.statement import schema_of
from db.store.schema import find_place, set_schema
from db.store.schema_version import (
    EARLIER_TABLE,
    earlier_version,
    encoding_problem,
    has_table,
    newer_tables,
    schema_version,
    tables_elsewhere,
    works_with,
)
from db.store.store import Store, describe_store, error_reason

from .patient_transaction import run_migration
from .schema_change import enter_schema, move_tables


def upgrade(store: Store, *, move: bool = False, new: bool = False) -> str:
    """Create or migrate the tables; return their version.

    Tables that are newer than this code stay as they are if it works with them. Tables in another
    schema than DATABASE_SCHEMA are moved if `move`, left there if `new`, otherwise StoreError is
    raised.
    """
    try:
        version, schema = run_migration(store, partial(_upgrade, move=move, new=new))
    except StoreError as error:
        raise StoreError(f"{describe_store(store)}: {error}") from error
    except DBAPIError as error:
        reason = error_reason(error)
        raise StoreError(f"{describe_store(store)}: nothing was changed: {reason}") from error
    if schema is not None:
        for engine in (store.writer, store.reader):
            set_schema(engine, schema)
    return version


def _upgrade(connection: Connection, *, move: bool, new: bool) -> tuple[str, str | None]:
    """Create or migrate the tables; return their version and their schema."""
    if connection.dialect.name == "postgresql":
        _prepare_schema(connection, move=move, new=new)
    return _migrate(connection), schema_of(connection)


def _prepare_schema(connection: Connection, *, move: bool, new: bool) -> None:
    """Create the schema of the tables if necessary, and make it that of the transaction."""
    place = find_place(connection)
    if place.elsewhere is not None and not (move or new):
        raise StoreError(tables_elsewhere(place))
    source = place.elsewhere if move else None
    is_new = place.schema not in place.found and source is None
    if is_new and (problem := encoding_problem(connection)):
        raise StoreError(problem)
    enter_schema(connection, place.schema)
    if source is not None:
        move_tables(connection, source, place.schema)


def _migrate(connection: Connection) -> str:
    before = schema_version(connection)
    if before is not None and before > tables.SCHEMA:
        if (needed := works_with(connection)) > tables.SCHEMA:
            raise StoreError(newer_tables(before, needed))
        return before
    config = _config(connection)
    is_earlier = earlier_version(connection) is not None
    is_free = not has_table(connection, EARLIER_TABLE)
    if before is not None and not has_table(connection, tables.version.name):
        command.stamp(config, before)
    command.upgrade(config, "head")
    head = ScriptDirectory.from_config(config).get_revision("head")
    oldest = getattr(head.module, "works_with", head.revision)
    connection.execute(update(tables.version).values(works_with=oldest))
    if is_earlier or (is_free and schema_of(connection) in {None, OWN_SCHEMA}):
        _tell_earlier_releases(connection)
    return str(head.revision)


def _tell_earlier_releases(connection: Connection) -> None:
    """Write the version where releases before version 0008 look for it, which may run beside.

    Not where the table could be another program's.
    """
    command.stamp(_config(connection, EARLIER_TABLE), "head")


def _config(connection: Connection, version_table: str = tables.version.name) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    return config
