"""Add the positions of incremental imports, and count the tokens of language models."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "import_position",
        sa.Column(
            "dataset_id",
            BigId,
            sa.ForeignKey("dataset.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("source", sa.LargeBinary(32), primary_key=True),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
    )
    for name in ("prompt_tokens", "answer_tokens"):
        op.add_column("meter", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
