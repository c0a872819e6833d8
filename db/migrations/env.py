"""Run by Alembic: configure it with the connection that `upgrade` opened."""

from alembic import context

from db.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
