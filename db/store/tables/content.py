"""Tables of what is known: datasets, records, what was made of them, models."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from .base import BigId, dataset_column, id_column, metadata

dataset = Table(
    "dataset",
    metadata,
    id_column(),
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
    id_column(),
    dataset_column(),
    Column("key", LargeBinary(16), nullable=False),
    Column("inputs", Text, nullable=False),
    Column("label", Text),
    Column("origin", Text, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("made_at", Double, nullable=False),
    # The dataset's revision under which every enrichment of this record was last fresh.
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("chunk_id", BigId),
    # What it is listed by; see db.records.listing_columns. The label of the newest prediction and
    # its probability; of a regression no answer, and the number itself.
    Column("answer", Text, nullable=False, server_default=""),
    Column("score", Double),
    # Whether that is what the model said without having seen the label.
    Column("held_out", Boolean, nullable=False, server_default=false()),
    Column("issue", Boolean),
    Column("duplicates", Text),
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
# A page of a listing is read from an index in its order. Queries must say these very words, or
# the index is not used.
UNSURE = 0.75
FAR = "abs(CAST(label AS DOUBLE PRECISION) - score)"
LISTED = {
    "record_by_label": ("label, answer, key", "label IS NOT NULL"),
    "record_by_answer": ("answer, key", "answer != ''"),
    "record_contradicted": ("label, answer, key", "answer != '' AND label != answer"),
    # With what a page may choose by besides, so that it is chosen from the index alone.
    "record_unsure": ("score, key, label, answer", f"answer != '' AND score < {UNSURE}"),
    "record_far": (f"({FAR}), key", "answer = '' AND label IS NOT NULL AND score IS NOT NULL"),
    "record_with_issue": ("key, label, answer", "issue"),
    "record_duplicated": ("duplicates, key, label, answer", "duplicates IS NOT NULL"),
}
for _name, (_columns, _where) in LISTED.items():
    _parts = [record.c[it] if it in record.c else text(it) for it in _columns.split(", ")]
    Index(
        _name,
        record.c.dataset_id,
        *_parts,
        _table=record,
        sqlite_where=text(_where),
        postgresql_where=text(_where),
    )

enrichment = Table(
    "enrichment",
    metadata,
    Column("record_id", BigId, ForeignKey("record.id"), primary_key=True, autoincrement=False),
    Column("enricher", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    # One of the two: JSON text, or float32 numbers in little-endian order.
    Column("value", Text),
    Column("vector", LargeBinary),
    Column("made_at", Double),
)

prediction = Table(
    "prediction",
    metadata,
    dataset_column(primary_key=True),
    Column("key", LargeBinary(16), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

model = Table(
    "model",
    metadata,
    id_column(),
    dataset_column(),
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

snapshot = Table(
    "snapshot",
    metadata,
    dataset_column(primary_key=True),
    Column("enricher", Text, primary_key=True),
    # Rises each time the whole set is looked at anew; what it was told by, such as intents@3.
    Column("number", Integer, nullable=False),
    Column("basis", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("findings", LargeBinary, nullable=False),
    Column("made_at", Double, nullable=False),
)
