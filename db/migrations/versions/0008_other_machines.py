"""Keep the library versions of models, and why calls and datasets are paused."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("model", sa.Column("libraries", sa.Text()))
