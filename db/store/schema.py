"""The schema of the tables on PostgreSQL: how it is found, and how statements come to name it.

Statements name it because a pooler does not keep a session's `search_path`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from db.errors import StoreError

OWN_SCHEMA = "veilleuse"
# Some tables of the first release: another program is not likely to have all of them.
_MARKS = ("chunk", "dataset", "enrichment", "generation", "quarantine", "record")
_FIND = f"""
SELECT (SELECT array_agg(nspname ORDER BY nspname) FROM (
    SELECT n.nspname::text FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relname IN {_MARKS}
    GROUP BY n.nspname HAVING count(*) = {len(_MARKS)}) found),
  pg_catalog.current_schemas(false)::text[]
"""  # noqa: S608  constants


@dataclass(frozen=True)
class Place:
    """The schema that is to hold the tables, and all schemas that hold such tables."""

    schema: str
    found: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> str | None:
        """A schema that has tables, if the one to use has none."""
        return None if self.schema in self.found else next(iter(self.found), None)


def choose_schema(configured: str, found: Sequence[str], search_path: Sequence[str]) -> Place:
    """Return the schema to use, of those that are found to hold tables.

    An earlier release has made the tables in the first schema of the search path, which is public
    by default. Raises StoreError if the tables could be in either of two.
    """
    usual = [name for name in dict.fromkeys((OWN_SCHEMA, *search_path)) if name in found]
    if not configured and len(usual) > 1:
        raise StoreError(
            f"the database has tables of Veilleuse in the schemas {' and '.join(usual)}; set"
            " DATABASE_SCHEMA to the one to use"
        )
    return Place(configured or next(iter(usual), OWN_SCHEMA), tuple(found))


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


def schema_of(connection: Connection) -> str | None:
    """Return the schema that statements of a connection name, None on SQLite."""
    names = connection.get_execution_options().get("schema_translate_map")
    return None if names is None else names[None]


def qualified_name(connection: Connection, table: str) -> str:
    """Return a table's quoted name, with the schema of the tables if there is one."""
    quote = connection.dialect.identifier_preparer.quote
    schema = schema_of(connection)
    return f"{quote(schema)}.{quote(table)}" if schema else quote(table)


def find_place(connection: Connection) -> Place:
    """Return where on PostgreSQL the tables are or belong; raises StoreError."""
    found, search_path = connection.execute(text(_FIND)).one()
    configured = connection.get_execution_options()["configured_schema"]
    return choose_schema(configured, found or (), search_path or ())


def _on_connect(
    engine: Engine, known: list[str], connection: DBAPIConnection, _entry: ConnectionPoolEntry
) -> None:
    """Find the schema on the first connection, and again as long as there are no tables."""
    if known:
        return
    cursor = connection.cursor()
    cursor.execute(_FIND)
    found, search_path = cursor.fetchone() or ((), ())
    cursor.close()
    connection.rollback()
    place = choose_schema("", found or (), search_path or ())
    set_schema(engine, place.schema)
    if place.schema in place.found:
        known.append(place.schema)
