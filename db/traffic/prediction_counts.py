"""Counts of the answers by hour, source and prediction; they show traffic and drift."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.dialect import excluded, upsert, wall_seconds

HOUR_SECONDS = 3600
KEEP_HOURS = 24 * 90


def add_prediction_counts(
    connection: Connection, counts: Mapping[tuple[int, str, str], int]
) -> None:
    """Add to the counts of the current hour, by dataset id, source and prediction."""
    hour = int(wall_seconds(connection)) // HOUR_SECONDS
    rows = [
        {
            "dataset_id": dataset_id,
            "hour": hour,
            "source": source,
            "prediction": prediction,
            "answers": count,
        }
        # All processes write rows in the same order, so that they cannot deadlock.
        for (dataset_id, source, prediction), count in sorted(counts.items())
    ]
    upsert(
        connection,
        tables.served,
        rows,
        ("dataset_id", "hour", "source", "prediction"),
        change={"answers": tables.served.c.answers + excluded("answers")},
    )


def read_prediction_counts(
    connection: Connection, dataset_id: int, hours: int = 24
) -> list[tuple[int, str, str, int]]:
    """Return hour (counted from 1970), source, prediction and count of answers, by hour."""
    oldest = int(wall_seconds(connection)) // HOUR_SECONDS - hours
    query = (
        select(
            tables.served.c.hour,
            tables.served.c.source,
            tables.served.c.prediction,
            tables.served.c.answers,
        )
        .where(tables.served.c.dataset_id == dataset_id, tables.served.c.hour > oldest)
        .order_by(tables.served.c.hour, tables.served.c.source, tables.served.c.prediction)
    )
    rows = connection.execute(query)
    return [(hour, source, prediction, count) for hour, source, prediction, count in rows]


def prune_prediction_counts(connection: Connection) -> int:
    """Delete the counts of hours older than KEEP_HOURS; return how many rows."""
    oldest = int(wall_seconds(connection)) // HOUR_SECONDS - KEEP_HOURS
    return connection.execute(delete(tables.served).where(tables.served.c.hour < oldest)).rowcount


def prediction_name(prediction: str | float) -> str:
    """Return the name under which a prediction is counted; numbers are rounded to one digit.

    Answers of 1,830 and 2,170 both count as 2000, which gives nine names per power of ten.
    """
    return prediction if isinstance(prediction, str) else f"{float(f'{prediction:.0e}') + 0.0:g}"
