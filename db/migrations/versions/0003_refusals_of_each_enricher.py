"""Quarantine a record for each enricher that fails on it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # SQLite cannot change a primary key, so the table is created again and its rows are copied.
    op.rename_table("quarantine", "quarantine_of_records")
    op.create_table(
        "quarantine",
        sa.Column("record_id", BigId, autoincrement=False, nullable=False),
        sa.Column("dataset_id", BigId, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("enricher", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("record_id", "enricher", name="quarantine_key"),
    )
    op.execute(
        "INSERT INTO quarantine (record_id, dataset_id, revision, enricher, reason, made_at)"
        " SELECT record_id, dataset_id, revision, enricher, reason, made_at"
        " FROM quarantine_of_records"
    )
    op.drop_table("quarantine_of_records")
