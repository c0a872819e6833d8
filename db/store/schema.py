"""The schema of the tables on PostgreSQL: how it is found, and how statements come to name it.

Statements name it because a pooler does not keep a session's `search_path`.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from .direct.place import FIND_SCHEMAS, OWN_SCHEMA, Place, choose_schema
from .direct.statement import schema_of


def use_schema(engine: Engine, configured: str) -> None:
    """Make the statements of an engine name the schema, which the first connection finds.

    `configured` is DATABASE_SCHEMA. SQLite has no schemas.
    """
    if engine.dialect.name == "sqlite":
        return
    engine.update_execution_options(configured_schema=configured)
    set_schema(engine, configured or OWN_SCHEMA)
    if not configured:
        event.listen(engine, "connect", partial(_on_connect, engine, []))


def set_schema(target: Engine | Connection, schema: str) -> None:
    """Make the statements of an engine, or of one connection, name a schema."""
    options = {"schema_translate_map": {None: schema}}
    if isinstance(target, Engine):
        target.update_execution_options(**options)
    else:
        target.execution_options(**options)


def qualified_name(connection: Connection, table: str) -> str:
    """Return a table's quoted name, with the schema of the tables if there is one."""
    quote = connection.dialect.identifier_preparer.quote
    schema = schema_of(connection)
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def find_place(connection: Connection) -> Place:
    """Return where on PostgreSQL the tables are or belong; raises StoreError."""
    found, search_path = connection.execute(text(FIND_SCHEMAS)).one()
    configured = connection.get_execution_options()["configured_schema"]
    return choose_schema(configured, found, search_path)


def _on_connect(
    engine: Engine, known: list[str], connection: DBAPIConnection, _entry: ConnectionPoolEntry
) -> None:
    """Find the schema on the first connection, and again as long as there are no tables."""
    if known:
        return
    cursor = connection.cursor()
    cursor.execute(FIND_SCHEMAS)
    found, search_path = cursor.fetchone() or ((), ())
    cursor.close()
    connection.rollback()
    place = choose_schema("", found, search_path)
    set_schema(engine, place.schema)
    if place.schema in place.found:
        known.append(place.schema)
