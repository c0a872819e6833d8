"""Keep the labels that people give, answers and how they turned out, and jobs with files."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
# The oldest version of the code that works with these tables.
works_with = "0008"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _extend_observations()
    _add_listings()
    _add_labelling()
    _add_outcomes()
    _add_jobs()


def _partial(
    name: str, table: str, columns: list[object], where: str, *, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def _extend_observations() -> None:
    op.add_column("observation", sa.Column("replaced_by", BigId))
    op.add_column("observation", sa.Column("author", sa.Text()))
    unsure = sa.Column("is_unsure", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("observation", unsure)
    op.add_column("observation", sa.Column("request_id", sa.Text()))
    _partial("observation_replaced", "observation", ["replaced_by"], "replaced_by IS NOT NULL")
    _partial("observation_authored", "observation", ["dataset_id", "made_at"], "author IS NOT NULL")
    _partial(
        "observation_request",
        "observation",
        ["dataset_id", "request_id"],
        "request_id IS NOT NULL",
        unique=True,
    )


def _add_listings() -> None:
    _partial(
        "record_mistaken",
        "record",
        ["dataset_id", "score", "key", "label", "answer"],
        "answer != '' AND label != answer AND score IS NOT NULL",
    )
    _partial(
        "record_unlabelled",
        "record",
        ["dataset_id", sa.text("(coalesce(score,2.0))"), "key", "answer"],
        "label IS NULL",
    )
    _partial(
        "record_asked",
        "record",
        ["dataset_id", "made_at", "key", "label", "answer"],
        "origin = 'request'",
    )


def _dataset() -> sa.Column:
    key = sa.ForeignKey("dataset.id", ondelete="CASCADE")
    return sa.Column("dataset_id", BigId, key, nullable=False)


def _key(name: str, table: str) -> sa.Column:
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, BigId, key, primary_key=True, autoincrement=False)


def _add_labelling() -> None:
    op.create_table(
        "label_claim",
        _key("record_id", "record"),
        sa.Column("holder", sa.Text(), primary_key=True),
        _dataset(),
        sa.Column("held_until", sa.Double(), nullable=False),
        sa.Column("is_skipped", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index("label_claim_holder", "label_claim", ["dataset_id", "holder"])


def _add_outcomes() -> None:
    op.create_table(
        "served_answer",
        sa.Column("request_id", sa.Text(), primary_key=True),
        _dataset(),
        sa.Column("key", sa.LargeBinary(16), nullable=False),
        sa.Column("prediction", sa.Text(), nullable=False),
        sa.Column("score", sa.Double()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
    )
    op.create_index("served_answer_key", "served_answer", ["dataset_id", "key", "made_at"])
    op.create_index("served_answer_time", "served_answer", ["dataset_id", "made_at"])
    op.create_table(
        "outcome",
        _key("observation_id", "observation"),
        _dataset(),
        sa.Column("prediction", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("predicted_at", sa.Double(), nullable=False),
        sa.Column("told_at", sa.Double(), nullable=False),
    )
    op.create_index("outcome_time", "outcome", ["dataset_id", "predicted_at"])


def _add_jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False, server_default=""),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("result", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("step", sa.Text(), nullable=False, server_default=""),
        sa.Column("done", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("total", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("worker_id", BigId),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("seen_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sqlite_autoincrement=True,
    )
    op.create_index("job_state", "job", ["state", "id"])
    op.create_table(
        "job_file",
        _key("job_id", "job"),
        sa.Column("role", sa.Text(), primary_key=True),
        sa.Column("part", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
