"""Tables of datasets, records, enrichments, predictions, models and analyses."""

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

from .base import BigId, dataset_column, id_column, metadata, partial_index

dataset = Table(
    "dataset",
    metadata,
    id_column(),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),
    # The enrichers with their current fingerprints, as JSON. The revision rises when it changes.
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
    # The labels of its observations in one: the most frequent one, or the mean of a regression.
    # It is null exactly if no observation has a label.
    Column("label", Text),
    Column("origin", Text, nullable=False),
    Column("asked", Boolean, nullable=False),
    Column("made_at", Double, nullable=False),
    # The last revision of the dataset under which every enrichment of this record was fresh.
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("chunk_id", BigId),
    # Columns that listings use; see db.records.listing_columns. `answer` and `score` are the label
    # of the newest prediction and its probability; for a regression "" and the predicted number.
    Column("answer", Text, nullable=False, server_default=""),
    Column("score", Double),
    # Whether answer and score come from a model that was trained without this record's label.
    Column("held_out", Boolean, nullable=False, server_default=false()),
    Column("issue", Boolean),
    Column("duplicates", Text),
    UniqueConstraint("dataset_id", "key"),
    sqlite_autoincrement=True,
)
partial_index(
    "record_waiting",
    record.c.dataset_id,
    record.c.asked,
    record.c.revision,
    record.c.key,
    where=record.c.chunk_id.is_(None),
)
partial_index(
    "record_in_chunk",
    record.c.chunk_id,
    where=record.c.chunk_id.isnot(None),
)
partial_index(
    "record_labelled",
    record.c.dataset_id,
    record.c.id,
    where=record.c.label.isnot(None),
)
# A page of a listing is read from one of these indexes, in its order. A query must repeat the
# index's expressions literally, or the database does not use the index.
UNCERTAIN_SCORE = 0.75
# Records without a prediction come after all others, whose scores are below 1.
UNLABELLED_SCORE = "coalesce(score,2.0)"
ABSOLUTE_ERROR = "abs(CAST(label AS DOUBLE PRECISION) - score)"
LISTING_INDEXES = {
    "record_by_label": ("label, answer, key", "label IS NOT NULL"),
    "record_by_answer": ("answer, key", "answer != ''"),
    "record_contradicted": ("label, answer, key", "answer != '' AND label != answer"),
    # Includes the columns that a page may filter by, so that only the index is read.
    "record_unsure": ("score, key, label, answer", f"answer != '' AND score < {UNCERTAIN_SCORE}"),
    "record_far": (
        f"({ABSOLUTE_ERROR}), key",
        "answer = '' AND label IS NOT NULL AND score IS NOT NULL",
    ),
    "record_with_issue": ("key, label, answer", "issue"),
    "record_duplicated": ("duplicates, key, label, answer", "duplicates IS NOT NULL"),
    "record_mistaken": (
        "score, key, label, answer",
        "answer != '' AND label != answer AND score IS NOT NULL",
    ),
    "record_unlabelled": (f"({UNLABELLED_SCORE}), key, answer", "label IS NULL"),
    "record_asked": ("made_at, key, label, answer", "origin = 'request'"),
}
for _name, (_columns, _where) in LISTING_INDEXES.items():
    _parts = [record.c[term] if term in record.c else text(term) for term in _columns.split(", ")]
    partial_index(
        _name,
        record.c.dataset_id,
        *_parts,
        table=record,
        where=text(_where),
    )

# The rows of the user's data, and the labels that people gave; each belongs to a record.
observation = Table(
    "observation",
    metadata,
    id_column(),
    dataset_column(),
    # The code before this table deletes records without knowing of their observations.
    Column("record_id", BigId, ForeignKey("record.id", ondelete="CASCADE"), nullable=False),
    Column("label", Text),
    Column("row_id", Text),
    Column("origin", Text, nullable=False),
    Column("made_at", Double, nullable=False),
    # The submission whose rows were added beside all others; 0 if a later file corrects the row.
    Column("submission_id", BigId, nullable=False, server_default="0"),
    # Counts equal rows of an import, so that each is kept and importing them again adds none.
    Column("ordinal", Integer, nullable=False, server_default="0"),
    # The observation whose label replaces this one, which is kept as history; see db.labels.
    Column("replaced_by", BigId),
    # Who gave the label, where a person or a client did: its API key's name.
    Column("author", Text),
    # Whether the person could not decide; then there is no label.
    Column("is_unsure", Boolean, nullable=False, server_default=false()),
    # The request whose answer the label is the truth of.
    Column("request_id", Text),
    sqlite_autoincrement=True,
)
# The rows of a record, and the identity of rows that have no row id.
Index(
    "observation_identity",
    observation.c.record_id,
    observation.c.submission_id,
    text("coalesce(label, '')"),
    text("coalesce(row_id, '')"),
    observation.c.ordinal,
    unique=True,
)
partial_index(
    "observation_labelled",
    observation.c.dataset_id,
    observation.c.record_id,
    where=observation.c.label.isnot(None),
)
partial_index(
    "observation_row_id",
    observation.c.dataset_id,
    observation.c.row_id,
    unique=True,
    where=observation.c.row_id.isnot(None),
)

partial_index(
    "observation_replaced",
    observation.c.replaced_by,
    where=observation.c.replaced_by.isnot(None),
)
partial_index(
    "observation_authored",
    observation.c.dataset_id,
    observation.c.made_at,
    where=observation.c.author.isnot(None),
)
partial_index(
    "observation_request",
    observation.c.dataset_id,
    observation.c.request_id,
    unique=True,
    where=observation.c.request_id.isnot(None),
)
# Labels that count: those that no later label has replaced.
IS_CURRENT_LABEL = observation.c.label.isnot(None) & observation.c.replaced_by.is_(None)

# The files and requests whose rows were imported, by which they are recognised.
submission = Table(
    "submission",
    metadata,
    id_column(),
    Column("dataset_id", BigId, ForeignKey("dataset.id", ondelete="CASCADE"), nullable=False),
    # SHA-256 of the files, or of the key of a request.
    Column("digest", LargeBinary(32), nullable=False),
    # SHA-256 of the request's body, which must not change under the same key.
    Column("content", LargeBinary(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("is_added", Boolean, nullable=False),
    Column("made_at", Double, nullable=False),
    Column("finished_at", Double),
    # What was reported about it, as JSON.
    Column("counts", Text, nullable=False, server_default="{}"),
    UniqueConstraint("dataset_id", "digest"),
    sqlite_autoincrement=True,
)

# How far the rows of a query have been imported.
import_position = Table(
    "import_position",
    metadata,
    Column(
        "dataset_id",
        BigId,
        ForeignKey("dataset.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # SHA-256 of the query and its column; the database's URL is not kept.
    Column("source", LargeBinary(32), primary_key=True),
    # The highest value of the column, as JSON.
    Column("position", Text, nullable=False),
    Column("made_at", Double, nullable=False),
)

enrichment = Table(
    "enrichment",
    metadata,
    Column("record_id", BigId, ForeignKey("record.id"), primary_key=True, autoincrement=False),
    Column("enricher", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    # Exactly one is set: the value as JSON, or a vector of little-endian float32 numbers.
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
    # The enrichers that the teacher reads, as JSON, each with its fingerprint at training.
    Column("reads", Text, nullable=False),
    # Artifacts are kept for the active version, the one active before it, and the newest.
    Column("student", LargeBinary),
    Column("student_sha256", Text, nullable=False),
    Column("teacher", LargeBinary),
    Column("teacher_sha256", Text, nullable=False),
    Column("out_of_fold", LargeBinary),
    # The versions of the libraries that made it, and of those that it was checked with, as JSON.
    Column("libraries", Text),
    # Some answers of the teacher when it was made, by which it is checked with other versions.
    Column("known_answers", LargeBinary),
    UniqueConstraint("dataset_id", "version"),
    sqlite_autoincrement=True,
)
partial_index(
    "model_active",
    model.c.dataset_id,
    unique=True,
    where=model.c.active,
)

snapshot = Table(
    "snapshot",
    metadata,
    dataset_column(primary_key=True),
    Column("enricher", Text, primary_key=True),
    # Rises by one with each analysis of the dataset. `basis` names what it was computed from,
    # such as intents@3.
    Column("number", Integer, nullable=False),
    Column("basis", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("findings", LargeBinary, nullable=False),
    Column("made_at", Double, nullable=False),
)
