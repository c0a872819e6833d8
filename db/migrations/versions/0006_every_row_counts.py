"""Add observations and submissions; each record's label, and each imported row, is one."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "observation",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("dataset_id", BigId, sa.ForeignKey("dataset.id"), nullable=False),
        sa.Column(
            "record_id", BigId, sa.ForeignKey("record.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("label", sa.Text()),
        sa.Column("row_id", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("submission_id", BigId, nullable=False, server_default="0"),
        sa.Column("ordinal", sa.Integer(), nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
    # A request became an observation only where somebody gave it a label.
    op.execute(
        "INSERT INTO observation (dataset_id, record_id, label, origin, made_at)"
        " SELECT dataset_id, id, label, CASE WHEN origin = 'request' THEN 'import' ELSE origin END,"
        " made_at FROM record WHERE label IS NOT NULL OR origin != 'request' ORDER BY id"
    )
    # The indexes come after the rows: that is faster.
    op.execute(
        "CREATE UNIQUE INDEX observation_identity ON observation (record_id, submission_id,"
        " coalesce(label, ''), coalesce(row_id, ''), ordinal)"
    )
    op.execute(
        "CREATE INDEX observation_labelled ON observation (dataset_id, record_id)"
        " WHERE label IS NOT NULL"
    )
    op.execute(
        "CREATE UNIQUE INDEX observation_row_id ON observation (dataset_id, row_id)"
        " WHERE row_id IS NOT NULL"
    )
    op.create_table(
        "submission",
        sa.Column("id", BigId, primary_key=True),
        sa.Column(
            "dataset_id", BigId, sa.ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("content", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_added", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.Column("counts", sa.Text(), nullable=False, server_default="{}"),
        sa.UniqueConstraint("dataset_id", "digest"),
        sqlite_autoincrement=True,
    )
