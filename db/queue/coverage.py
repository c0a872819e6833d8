"""Coverage: the numbers of fresh values that workers last counted.

Counting is too slow to be done for every scrape of the metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from db.store import tables
from db.store.dialect import upsert, wall_seconds


@dataclass(frozen=True)
class CoverageCount:
    """How many of a dataset's records have a fresh value of an enricher."""

    dataset: str
    enricher: str
    fresh: int
    records: int
    made_at: float


def write_counts(
    connection: Connection, dataset_id: int, records: int, fresh: dict[str, int]
) -> None:
    """Replace a dataset's counts; `fresh` maps each enricher to its number of fresh values."""
    connection.execute(
        delete(tables.progress).where(
            tables.progress.c.dataset_id == dataset_id, tables.progress.c.enricher.notin_(fresh)
        )
    )
    now = wall_seconds(connection)
    rows = [
        {
            "dataset_id": dataset_id,
            "enricher": name,
            "fresh": count,
            "records": records,
            "made_at": now,
        }
        for name, count in fresh.items()
    ]
    upsert(connection, tables.progress, rows, ("dataset_id", "enricher"))


def all_counts(connection: Connection) -> list[CoverageCount]:
    """Return the last counts of all datasets, sorted by dataset and enricher."""
    query = (
        select(
            tables.dataset.c.name,
            tables.progress.c.enricher,
            tables.progress.c.fresh,
            tables.progress.c.records,
            tables.progress.c.made_at,
        )
        .join(tables.dataset, tables.dataset.c.id == tables.progress.c.dataset_id)
        .order_by(tables.dataset.c.name, tables.progress.c.enricher)
    )
    return [CoverageCount(*row) for row in connection.execute(query)]


def seconds_since_count(connection: Connection) -> float:
    """Return the age of the last count in seconds, infinity if there is none."""
    counted_at = connection.execute(select(func.max(tables.progress.c.made_at))).scalar()
    return float("inf") if counted_at is None else abs(wall_seconds(connection) - counted_at)
