"""Where the tables of the store are: their version, and on PostgreSQL their schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.errors import StoreError

# The oldest migration that this code works with. Migrations are compared as text.
SCHEMA = "0009"
OWN_SCHEMA = "veilleuse"
# Some tables of the first release: another program is not likely to have all of them.
_MARKS = ("chunk", "dataset", "enrichment", "generation", "quarantine", "record")
FIND_SCHEMAS = f"""
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


def choose_schema(
    configured: str, found: Sequence[str] | None, search_path: Sequence[str] | None
) -> Place:
    """Return the schema to use, of those that FIND_SCHEMAS finds to hold tables.

    An earlier release has made the tables in the first schema of the search path, which is public
    by default. Raises StoreError if the tables could be in either of two.
    """
    found = found or ()
    usual = [name for name in dict.fromkeys((OWN_SCHEMA, *(search_path or ()))) if name in found]
    if not configured and len(usual) > 1:
        raise StoreError(
            f"the database has tables of Veilleuse in the schemas {' and '.join(usual)}; set"
            " DATABASE_SCHEMA to the one to use"
        )
    return Place(configured or next(iter(usual), OWN_SCHEMA), tuple(found))
