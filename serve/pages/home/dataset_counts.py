"""How many records of a dataset have a label, are asked for, or are worth looking at."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from db.labels.production import ProductionSummary, production_summary
from db.labels.record_label import count_labels_given
from db.records.dataset import Dataset
from db.store import tables
from db.store.tables.records import UNCERTAIN_SCORE
from serve.pages.formatting import count
from serve.pages.language.translation import gettext as _

# Beyond these numbers nobody is told more than that there are more. What an index alone does not
# tell is counted less far.
MOST_COUNTED = 1_000_000
MOST_LOOKED_UP = 200_000
MOST_LISTED = 1_000
# The labels of more requested records are not looked up one by one.
MOST_COMPARED = 20_000


@dataclass(frozen=True)
class DatasetCounts:
    """Counts of one dataset; `asked_and_labelled` is None if it would take long to count."""

    records: int = 0
    labelled: int = 0
    asked: int = 0
    asked_and_labelled: int | None = 0
    labels: int = 0
    uncertain: int = 0
    issues: int = 0


@dataclass(frozen=True)
class DatasetFacts:
    """What is read of a dataset less often than the rest, since reading it takes longer.

    `labels_given` are the labels that people have given since the active model was trained.
    """

    counts: DatasetCounts
    labels_given: int = 0
    production: ProductionSummary | None = None


def read_dataset_facts(
    connection: Connection, dataset: Dataset, trained_at: float | None
) -> DatasetFacts:
    """Read the facts of a dataset whose active model was trained at this time, None without."""
    given = 0
    if trained_at is not None:
        given = count_labels_given(connection, dataset.id, trained_at)
    counts = read_dataset_counts(connection, dataset.id)
    return DatasetFacts(counts, given, production_summary(connection, dataset))


def read_dataset_counts(connection: Connection, dataset_id: int) -> DatasetCounts:
    """Count from indexes; each count reads no more rows than its limit."""
    record, rows = tables.record.c, tables.observation.c
    of_dataset = record.dataset_id == dataset_id
    unsure = (record.score < UNCERTAIN_SCORE) & (record.answer != "")
    asked = _count_asked(connection, dataset_id)
    labels = select(rows.id).where(rows.dataset_id == dataset_id, rows.label.isnot(None))
    return DatasetCounts(
        records=_count(connection, of_dataset, MOST_COUNTED),
        labelled=_count(connection, of_dataset & record.label.isnot(None), MOST_COUNTED),
        asked=asked,
        asked_and_labelled=_count_both(connection, dataset_id, asked),
        labels=_count_up_to(connection, labels, MOST_LOOKED_UP),
        uncertain=_count(connection, of_dataset & record.label.is_(None) & unsure, MOST_LISTED),
        # The index of these records has this very condition.
        issues=_count(connection, of_dataset & literal_column("issue"), MOST_LISTED),
    )


def _count_up_to(connection: Connection, rows: Select[tuple[int]], most: int) -> int:
    """Return how many rows a query has, at most `most`; it reads no more than those."""
    query = select(func.count()).select_from(rows.limit(most).subquery())
    return connection.execute(query).scalar_one()


def _count(connection: Connection, condition: ColumnElement[bool], most: int) -> int:
    return _count_up_to(connection, select(tables.record.c.id).where(condition), most)


def _is_asked(dataset_id: int) -> ColumnElement[bool]:
    """Return the condition of requested records that no worker has at the moment."""
    record = tables.record.c
    return (record.dataset_id == dataset_id) & record.asked.is_(True) & record.chunk_id.is_(None)


def _count_asked(connection: Connection, dataset_id: int) -> int:
    record, chunk = tables.record.c, tables.chunk.c
    chunks = select(chunk.id).where(chunk.dataset_id == dataset_id)
    in_chunks = record.chunk_id.in_(chunks) & record.asked.is_(True)
    return _count(connection, _is_asked(dataset_id), MOST_LOOKED_UP) + _count(
        connection, in_chunks, MOST_LOOKED_UP
    )


def _count_both(connection: Connection, dataset_id: int, asked: int) -> int | None:
    """Return how many requested records have a label, None if there are very many."""
    if asked > MOST_COMPARED:
        return None
    labels = select(tables.record.c.label).where(_is_asked(dataset_id)).subquery()
    return connection.execute(select(func.count(labels.c.label))).scalar_one()


def labels_since(labels: int, metrics: dict[str, object]) -> int:
    """Return how many labels have come since a model was trained, 0 if that is not known."""
    trained = metrics.get("all_rows", metrics.get("rows"))
    if not isinstance(trained, int) or labels >= MOST_LOOKED_UP:
        return 0
    return max(labels - trained, 0)


def count_text(value: int, most: int = MOST_COUNTED) -> str:
    """Return a count, or "more than 1,000" if counting ended there."""
    shown = count(value)
    return _("more than {count}").format(count=shown) if value >= most else shown
