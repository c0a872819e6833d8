"""Keep the library versions of models, and why calls and datasets are paused."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
# The oldest version of the code that works with these tables.
works_with = "0007"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # Returned chunks come in between now, and there are never many chunks.
    op.drop_index("chunk_order", "chunk")
    op.add_column("veilleuse_version", sa.Column("works_with", sa.Text()))
    op.add_column("model", sa.Column("libraries", sa.Text()))
    op.add_column("meter", sa.Column("period_clock", sa.Text(), nullable=False, server_default=""))
    op.add_column("model", sa.Column("known_answers", sa.LargeBinary()))
    op.add_column("worker", sa.Column("libraries", sa.Text()))
    op.create_table(
        "fault",
        sa.Column(
            "dataset_id",
            BigId,
            sa.ForeignKey("dataset.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.Double(), nullable=False),
        sa.Column("wait_seconds", sa.Double(), nullable=False),
    )
