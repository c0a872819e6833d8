"""The version of the store's tables, and whether this code works with it."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select, text

from . import tables
from .direct.place import Place
from .direct.statement import schema_of
from .schema import find_place, qualified_name

# The versions that releases before `veilleuse_version` wrote to Alembic's default table.
_EARLIER = re.compile("000[1-7]")
# Alembic's default table, where those releases wrote it.
EARLIER_TABLE = "alembic_version"
OWN_TABLES = frozenset({*tables.metadata.tables, tables.version.name, EARLIER_TABLE})


def schema_version(connection: Connection) -> str | None:
    """Return the version of the tables, None if there are none."""
    if has_table(connection, tables.version.name):
        return connection.execute(select(tables.version.c.version_num)).scalar()
    return earlier_version(connection)


def earlier_version(connection: Connection) -> str | None:
    """Return the version that an earlier release wrote, None if it is another program's."""
    if not has_table(connection, EARLIER_TABLE) or not has_table(connection, "enrichment"):
        return None
    query = select(text("version_num")).select_from(text(qualified_name(connection, EARLIER_TABLE)))
    versions = connection.execute(query).scalars().all()
    return versions[0] if len(versions) == 1 and _EARLIER.fullmatch(versions[0]) else None


def works_with(connection: Connection) -> str:
    """Return the SCHEMA of the oldest code that works with tables newer than this code's."""
    return connection.execute(select(tables.version.c.works_with)).scalar() or "9999"


def find_problem(connection: Connection) -> str | None:
    """Return why this code cannot use the store, and what to do; None if it can."""
    place = find_place(connection) if connection.dialect.name == "postgresql" else None
    version = schema_version(connection)
    if version is None:
        return _no_tables(connection, place)
    if version < tables.SCHEMA:
        return "its tables are too old for this code; run: python -m db upgrade"
    if version > tables.SCHEMA and (needed := works_with(connection)) > tables.SCHEMA:
        return newer_tables(version, needed)
    return None


def newer_tables(version: str, needed: str) -> str:
    """Return that a newer release changed the tables in a way that this code does not know."""
    return (
        f"its tables are at version {version}, which needs code of version {needed} or newer, and"
        f" this code has {tables.SCHEMA}; start the newer release again, or restore a backup"
    )


def encoding_problem(connection: Connection) -> str | None:
    """Return why a database's encoding does not do: text that it cannot hold would be lost.

    A new store is refused there; one that exists goes on, and refuses such texts one by one.
    """
    if connection.dialect.name != "postgresql":
        return None
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding == "UTF8":
        return None
    return (
        f"the database has the encoding {encoding}, which cannot hold every text; create one with"
        " UTF8: CREATE DATABASE veilleuse ENCODING 'UTF8' TEMPLATE template0"
    )


def _no_tables(connection: Connection, place: Place | None) -> str:
    if place is None or not place.found:
        return encoding_problem(connection) or "has no tables yet; run: python -m db upgrade"
    if place.elsewhere is None:
        return (
            f"the schema {place.schema} has tables of Veilleuse without a version; restore a"
            " backup, or set DATABASE_SCHEMA to use another schema"
        )
    return tables_elsewhere(place)


def tables_elsewhere(place: Place) -> str:
    """Return where the tables are if the schema to use has none, and what to do."""
    return (
        f"its tables are in the schema {place.elsewhere}, and not in {place.schema}; set"
        f" DATABASE_SCHEMA={place.elsewhere} to use them there, stop all processes and run python"
        f" -m db upgrade --move to move them to {place.schema}, or python -m db upgrade --new to"
        " leave them and create new ones"
    )


def has_table(connection: Connection, name: str) -> bool:
    """Return whether the schema of the tables has a table of this name."""
    return connection.dialect.has_table(connection, name, schema=schema_of(connection))
