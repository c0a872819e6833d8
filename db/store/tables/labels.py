"""Tables of labels by people, of answers and how they turned out, and of jobs with files."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
)

from .base import BigId, metadata

# A record that a person is labelling, so that nobody else gets it, or that a person has skipped.
label_claim = Table(
    "label_claim",
    metadata,
    Column(
        "record_id",
        BigId,
        ForeignKey("record.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # The browser that holds it, by a random name.
    Column("holder", Text, primary_key=True),
    Column("dataset_id", BigId, ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    # By the store's clock.
    Column("held_until", Double, nullable=False),
    Column("is_skipped", Boolean, nullable=False, server_default=false()),
)
Index("label_claim_holder", label_claim.c.dataset_id, label_claim.c.holder)

# Answers that web processes have given, by the id of the request; a sample where there are many.
served_answer = Table(
    "served_answer",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("dataset_id", BigId, ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    Column("key", LargeBinary(16), nullable=False),
    # A label, or the number of a regression as text.
    Column("prediction", Text, nullable=False),
    Column("score", Double),
    Column("source", Text, nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("made_at", Double, nullable=False),
)
Index(
    "served_answer_key",
    served_answer.c.dataset_id,
    served_answer.c.key,
    served_answer.c.made_at,
)
Index("served_answer_time", served_answer.c.dataset_id, served_answer.c.made_at)

# How predictions turned out: a label that was told after a prediction had been served.
outcome = Table(
    "outcome",
    metadata,
    Column(
        "observation_id",
        BigId,
        ForeignKey("observation.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("dataset_id", BigId, ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    Column("prediction", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("predicted_at", Double, nullable=False),
    Column("told_at", Double, nullable=False),
)
Index("outcome_time", outcome.c.dataset_id, outcome.c.predicted_at)

# Work with files that a browser has asked for and a worker does; see db.jobs.
job = Table(
    "job",
    metadata,
    Column("id", BigId, primary_key=True),
    # predict, infer, add, or train.
    Column("kind", Text, nullable=False),
    # The dataset's name, which may not exist yet.
    Column("dataset", Text, nullable=False, server_default=""),
    Column("author", Text, nullable=False),
    # receiving (its file), waiting, running, done, or failed.
    Column("state", Text, nullable=False),
    # What is asked for, as JSON, and what came of it.
    Column("parameters", Text, nullable=False, server_default="{}"),
    Column("result", Text, nullable=False, server_default="{}"),
    # What is being done, and how much of it is done; total 0 is not known.
    Column("step", Text, nullable=False, server_default=""),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger, nullable=False, server_default="0"),
    Column("error", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("worker_id", BigId),
    Column("made_at", Double, nullable=False),
    Column("started_at", Double),
    # When its worker reported last; another worker takes a job whose worker is silent.
    Column("seen_at", Double),
    Column("ended_at", Double),
    sqlite_autoincrement=True,
)
Index("job_state", job.c.state, job.c.id)

# The files of jobs, in parts of at most 1 MiB.
job_file = Table(
    "job_file",
    metadata,
    Column(
        "job_id",
        BigId,
        ForeignKey("job.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # input, or output.
    Column("role", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
