"""The tables of the store."""

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
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

# The migration that this code needs at least; migrations sort by their number.
SCHEMA = "0001"

metadata = MetaData()

# SQLite numbers rows by itself only where the column is declared INTEGER. It gives the number
# of a deleted row again unless told not to, and a worker that has lost its lease may still
# hold the old chunk's.
_BigId = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _BigId, primary_key=True)


def _dataset_id(*, primary_key: bool = False) -> Column[int]:
    return Column(
        "dataset_id",
        _BigId,
        ForeignKey("dataset.id"),
        nullable=False,
        primary_key=primary_key,
        autoincrement=False,
    )


# Times ending in _at are seconds since 1970 by the clock of whoever wrote the row.

dataset = Table(
    "dataset",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),
    # What today's enrichers are, as their worker sees them; the revision rises when it changes.
    Column("plan", Text, nullable=False, server_default="[]"),
    Column("revision", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

record = Table(
    "record",
    metadata,
    _id(),
    _dataset_id(),
    Column("key", LargeBinary(16), nullable=False),
    Column("inputs", Text, nullable=False),
    Column("label", Text),
    Column("origin", Text, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("made_at", Double, nullable=False),
    # The dataset's revision under which every enrichment of this record was last fresh.
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("chunk_id", _BigId),
    UniqueConstraint("dataset_id", "key"),
    sqlite_autoincrement=True,
)
Index(
    "record_waiting",
    record.c.dataset_id,
    record.c.asked,
    record.c.revision,
    record.c.key,
    sqlite_where=record.c.chunk_id.is_(None),
    postgresql_where=record.c.chunk_id.is_(None),
)
Index(
    "record_in_chunk",
    record.c.chunk_id,
    sqlite_where=record.c.chunk_id.isnot(None),
    postgresql_where=record.c.chunk_id.isnot(None),
)
Index(
    "record_labelled",
    record.c.dataset_id,
    record.c.id,
    sqlite_where=record.c.label.isnot(None),
    postgresql_where=record.c.label.isnot(None),
)

enrichment = Table(
    "enrichment",
    metadata,
    Column("record_id", _BigId, ForeignKey("record.id"), primary_key=True, autoincrement=False),
    Column("enricher", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    # One of the two: JSON text, or float32 numbers in little-endian order.
    Column("value", Text),
    Column("vector", LargeBinary),
)

prediction = Table(
    "prediction",
    metadata,
    _dataset_id(primary_key=True),
    Column("key", LargeBinary(16), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

model = Table(
    "model",
    metadata,
    _id(),
    _dataset_id(),
    Column("version", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("activated_at", Double),
    Column("made_at", Double, nullable=False),
    Column("metrics", Text, nullable=False),
    # Enrichers that the teacher reads, as JSON: the fingerprint of each when it was trained.
    Column("reads", Text, nullable=False),
    # The artifacts of versions that are neither active, nor the one before, nor the newest go.
    Column("student", LargeBinary),
    Column("student_sha256", Text, nullable=False),
    Column("teacher", LargeBinary),
    Column("teacher_sha256", Text, nullable=False),
    Column("out_of_fold", LargeBinary),
    UniqueConstraint("dataset_id", "version"),
    sqlite_autoincrement=True,
)
Index(
    "model_active",
    model.c.dataset_id,
    unique=True,
    sqlite_where=model.c.active,
    postgresql_where=model.c.active,
)

chunk = Table(
    "chunk",
    metadata,
    _id(),
    _dataset_id(),
    Column("revision", Integer, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("owner", _BigId),
    # Until when by the store's clock; see dialect.lease_clock.
    Column("lease_until", Double),
    Column("lease_boot", Text),
    Column("error", Text),
    sqlite_autoincrement=True,
)

worker = Table(
    "worker",
    metadata,
    _id(),
    # Which process of which machine, so that a neighbour can tell that it has died.
    Column("host", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)

run = Table(
    "run",
    metadata,
    _id(),
    _dataset_id(),
    # Gone from the table of workers while the run says "running": it died in the middle.
    Column("worker_id", _BigId),
    Column("command", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("records", Integer, nullable=False, server_default="0"),
    Column("outcome", Text, nullable=False, server_default="running"),
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("record_id", _BigId, ForeignKey("record.id"), primary_key=True, autoincrement=False),
    _dataset_id(),
    Column("revision", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", Double, nullable=False),
)

generation = Table(
    "generation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
)
