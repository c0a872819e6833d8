"""Run by Alembic: configure it with the connection that `upgrade` opened."""

from alembic import context

from db.store import tables
from db.store.direct.statement import schema_of

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=tables.metadata,
    version_table=attributes["version_table"],
    version_table_schema=schema_of(attributes["connection"]),
)
context.run_migrations()
