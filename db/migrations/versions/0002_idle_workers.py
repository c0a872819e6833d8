"""Add tables for gated workers, dataset-wide enrichers and call quotas."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _add_columns()
    _add_pause_and_signal()
    _add_progress()
    _add_snapshot()
    _add_calls()


def _add_columns() -> None:
    for name, kind in (("since", sa.Double()), ("rate", sa.Double()), ("open_share", sa.Double())):
        op.add_column("worker", sa.Column(name, kind, server_default="0", nullable=False))
    records = sa.Column("records", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("worker", records)
    op.add_column("worker", sa.Column("error", sa.Text(), nullable=True))
    op.add_column("worker", sa.Column("error_at", sa.Double(), nullable=True))
    enricher = sa.Column("enricher", sa.Text(), server_default="", nullable=False)
    op.add_column("quarantine", enricher)
    op.create_index("chunk_order", "chunk", [sa.text("asked DESC"), "id"])


def _add_pause_and_signal() -> None:
    op.create_table(
        "pause",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "web_signal",
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("requests_per_second", sa.Double(), nullable=False),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.Column("p95_seconds", sa.Double(), nullable=False),
        sa.Column("told", sa.Double(), nullable=False),
        sa.Column("told_boot", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("process"),
    )


def _add_progress() -> None:
    op.create_table(
        "progress",
        sa.Column("dataset_id", BigId, autoincrement=False, nullable=False),
        sa.Column("enricher", sa.Text(), nullable=False),
        sa.Column("fresh", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("dataset_id", "enricher"),
    )


def _add_snapshot() -> None:
    op.create_table(
        "snapshot",
        sa.Column("dataset_id", BigId, autoincrement=False, nullable=False),
        sa.Column("enricher", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("dataset_id", "enricher"),
    )


def _add_calls() -> None:
    op.create_table(
        "meter",
        sa.Column("dataset_id", BigId, autoincrement=False, nullable=False),
        sa.Column("enricher", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("period_at", sa.Double(), server_default="0", nullable=False),
        sa.Column("next_call", sa.Double(), server_default="0", nullable=False),
        sa.Column("next_boot", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("dataset_id", "enricher"),
    )
    op.create_table(
        "response",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("record_id", BigId, nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("held_until", sa.Double(), nullable=True),
        sa.Column("held_boot", sa.Text(), nullable=True),
        sa.Column("held_worker", BigId, nullable=True),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("response_record", "response", ["record_id"])
    op.create_table(
        "call_grant",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("dataset_id", BigId, nullable=False),
        sa.Column("enricher", sa.Text(), nullable=False),
        sa.Column("worker_id", BigId, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.Double(), nullable=False),
        sa.Column("held_boot", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index("call_grant_meter", "call_grant", ["dataset_id", "enricher"])
