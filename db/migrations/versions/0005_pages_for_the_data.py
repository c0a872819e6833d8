"""Add the columns by which pages list records, times of enrichments, and gate readings."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Fill the columns from the predictions in the store. A regression has no probabilities.
_SQLITE = """
UPDATE record SET
  answer = coalesce((SELECT CASE WHEN json_type(b.body, '$.probabilities') = 'object'
      THEN json_extract(b.body, '$.prediction') ELSE '' END FROM
      (SELECT CAST(body AS TEXT) AS body FROM prediction p
       WHERE p.dataset_id = record.dataset_id AND p.key = record.key) b), ''),
  score = (SELECT CASE WHEN json_type(b.body, '$.probabilities') = 'object'
      THEN (SELECT max(value) FROM json_each(b.body, '$.probabilities'))
      ELSE json_extract(b.body, '$.prediction') END FROM
      (SELECT CAST(body AS TEXT) AS body FROM prediction p
       WHERE p.dataset_id = record.dataset_id AND p.key = record.key) b)
"""
_POSTGRESQL = """
UPDATE record SET
  answer = CASE WHEN b.body ? 'probabilities' THEN b.body ->> 'prediction' ELSE '' END,
  score = CASE WHEN b.body ? 'probabilities'
    THEN (SELECT max(value::double precision) FROM jsonb_each_text(b.body -> 'probabilities'))
    ELSE (b.body ->> 'prediction')::double precision END
FROM (SELECT dataset_id, key, convert_from(body, 'UTF8')::jsonb AS body FROM prediction) b
WHERE b.dataset_id = record.dataset_id AND b.key = record.key
"""

# Fill the columns from enrichments of this form, whatever the names of their enrichers.
_MARKS = """
UPDATE record SET
  issue = (SELECT {issue} FROM enrichment e
    WHERE e.record_id = record.id AND substr(e.value, 1, 9) = '{{"issue":' LIMIT 1),
  duplicates = (SELECT {group} FROM enrichment e
    WHERE e.record_id = record.id AND substr(e.value, 1, 9) = '{{"group":' LIMIT 1)
WHERE id IN (SELECT record_id FROM enrichment e
  WHERE substr(e.value, 1, 9) IN ('{{"issue":', '{{"group":'))
"""
_SQLITE_MARKS = _MARKS.format(
    issue="json_extract(e.value, '$.issue')", group="json_extract(e.value, '$.group')"
)
_POSTGRESQL_MARKS = _MARKS.format(
    issue="(e.value::json ->> 'issue')::boolean", group="e.value::json ->> 'group'"
)


def upgrade() -> None:
    for column in (
        sa.Column("answer", sa.Text(), nullable=False, server_default=""),
        sa.Column("score", sa.Double()),
        sa.Column("held_out", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("issue", sa.Boolean()),
        sa.Column("duplicates", sa.Text()),
    ):
        op.add_column("record", column)
    op.add_column("enrichment", sa.Column("made_at", sa.Double()))
    op.add_column("worker", sa.Column("limits", sa.Text()))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.get_bind().exec_driver_sql(_SQLITE if is_sqlite else _POSTGRESQL)
    op.get_bind().exec_driver_sql(_SQLITE_MARKS if is_sqlite else _POSTGRESQL_MARKS)
    _add_indexes()
    op.create_table(
        "reading",
        sa.Column("worker_id", BigId, autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("open_share", sa.Double(), nullable=False),
        sa.Column("foreign_cores", sa.Double()),
        sa.Column("memory_share", sa.Double()),
        sa.Column("stalled_share", sa.Double()),
        sa.Column("web_requests", sa.Double()),
        sa.PrimaryKeyConstraint("worker_id", "at"),
    )


def _add_indexes() -> None:
    far = "answer = '' AND label IS NOT NULL AND score IS NOT NULL"
    error = "abs(CAST(label AS DOUBLE PRECISION) - score)"
    for name, columns, where in (
        ("record_by_label", "label, answer, key", "label IS NOT NULL"),
        ("record_by_answer", "answer, key", "answer != ''"),
        ("record_contradicted", "label, answer, key", "answer != '' AND label != answer"),
        ("record_unsure", "score, key, label, answer", "answer != '' AND score < 0.75"),
        ("record_far", f"({error}), key", far),
        ("record_with_issue", "key, label, answer", "issue"),
        ("record_duplicated", "duplicates, key, label, answer", "duplicates IS NOT NULL"),
    ):
        op.execute(f"CREATE INDEX {name} ON record (dataset_id, {columns}) WHERE {where}")
    op.execute("CREATE INDEX quarantine_latest ON quarantine (made_at)")
