"""The table of the store's own version."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, Text

# Alembic makes this table and writes version_num. It is not Alembic's default table, which
# belongs to the first program of a database that uses Alembic. It is no part of a backup.
version = Table(
    "veilleuse_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    # The SCHEMA of the oldest code that works with the tables.
    Column("works_with", Text),
    PrimaryKeyConstraint("version_num", name="veilleuse_version_pkc"),
)
