"""What was answered, by the hour: to see what is asked for and how far it has drifted."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.dialect import excluded, upsert, wall_seconds

HOUR_SECONDS = 3600
KEEP_HOURS = 24 * 90


def count_served(connection: Connection, counts: Mapping[tuple[int, str, str], int]) -> None:
    """Add to what was answered this hour, by dataset, source and prediction."""
    hour = int(wall_seconds(connection)) // HOUR_SECONDS
    rows = [
        {
            "dataset_id": dataset_id,
            "hour": hour,
            "source": source,
            "prediction": prediction,
            "answers": count,
        }
        # In one order, so that two who write the same rows do not wait for each other in turn.
        for (dataset_id, source, prediction), count in sorted(counts.items())
    ]
    upsert(
        connection,
        tables.served,
        rows,
        ("dataset_id", "hour", "source", "prediction"),
        change={"answers": tables.served.c.answers + excluded("answers")},
    )


def all_served(
    connection: Connection, dataset_id: int, hours: int = 24
) -> list[tuple[int, str, str, int]]:
    """Return hour (since the epoch), source, prediction and number of answers, by hour."""
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
    return [(hour, source, it, count) for hour, source, it, count in connection.execute(query)]


def prune_served(connection: Connection) -> int:
    """Drop hours that nobody looks at any more; returns how many rows."""
    oldest = int(wall_seconds(connection)) // HOUR_SECONDS - KEEP_HOURS
    return connection.execute(delete(tables.served).where(tables.served.c.hour < oldest)).rowcount


def prediction_name(prediction: str | float) -> str:
    """Return the name under which a prediction is counted: a number by its first digit.

    Answers of 1,830 and 2,170 both count as 2000: some nine names a power of ten.
    """
    return prediction if isinstance(prediction, str) else f"{float(f'{prediction:.0e}') + 0.0:g}"
