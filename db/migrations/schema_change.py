"""The schema of the tables on PostgreSQL is created, and tables are moved to another one."""

from __future__ import annotations

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.errors import StoreError
from db.store import tables
from db.store.schema import set_schema
from db.store.schema_version import EARLIER_TABLE, earlier_version

_DENIED = "42501"
_RIGHTS = """
SELECT has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE')
FROM pg_catalog.pg_namespace WHERE nspname = :schema
"""


def enter_schema(connection: Connection, schema: str) -> None:
    """Create a schema if it is missing, and make it that of all statements of the transaction.

    Raises StoreError, with the statement for an administrator, if the user may not do that.
    """
    user, database = connection.execute(text("SELECT current_user, current_database()")).one()
    rights = connection.execute(text(_RIGHTS), {"schema": schema}).scalar()
    if rights is None:
        _create(connection, schema, user, database)
    elif not rights:
        raise StoreError(
            f"the user {user} may not create tables in the schema {schema}; an administrator of"
            f' the database {database} can run: GRANT USAGE, CREATE ON SCHEMA "{schema}" TO'
            f' "{user}"'
        )
    set_schema(connection, schema)
    # For what Alembic and the migrations write without a schema. The session's own search path
    # would be lost by a pooler, or be left to others.
    connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))


def _create(connection: Connection, schema: str, user: str, database: str) -> None:
    try:
        connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _DENIED:
            raise
        raise StoreError(
            f"the user {user} may not create the schema {schema}; an administrator of the database"
            f' {database} can run: CREATE SCHEMA "{schema}" AUTHORIZATION "{user}"; or set'
            " DATABASE_SCHEMA to a schema in which the user may create tables, such as public"
        ) from None


def move_tables(connection: Connection, source: str, target: str) -> None:
    """Move all tables from one schema to another, with their indexes and sequences."""
    set_schema(connection, source)
    names = {*tables.metadata.tables, tables.version.name}
    if earlier_version(connection) is not None:
        names.add(EARLIER_TABLE)
    set_schema(connection, target)
    query = text("SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = :schema")
    present = set(connection.execute(query, {"schema": source}).scalars())
    for name in sorted(names & present):
        connection.execute(text(f'ALTER TABLE "{source}"."{name}" SET SCHEMA "{target}"'))
