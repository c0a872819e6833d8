"""Counts of the answers by hour, source and prediction; they show traffic and drift."""

from __future__ import annotations

from collections.abc import Mapping

from db.store.direct.clock import wall_seconds
from db.store.direct.statement import Statement, StoreConnection

HOUR_SECONDS = 3600

_add = Statement(
    "INSERT INTO {schema}served AS known (answers, dataset_id, hour, source, prediction)"
    " VALUES ({}, {}, {}, {}, {}) ON CONFLICT (dataset_id, hour, source, prediction)"
    " DO UPDATE SET answers = known.answers + excluded.answers"
)


def add_prediction_counts(
    connection: StoreConnection, counts: Mapping[tuple[int, str, str], int]
) -> None:
    """Add to the counts of the current hour, by dataset id, source and prediction."""
    hour = int(wall_seconds(connection)) // HOUR_SECONDS
    _add.run_each(
        connection,
        # All processes write rows in the same order, so that they cannot deadlock.
        [(count, dataset_id, hour, *name) for (dataset_id, *name), count in sorted(counts.items())],
    )


def prediction_name(prediction: str | float) -> str:
    """Return the name under which a prediction is counted; numbers are rounded to one digit.

    Answers of 1,830 and 2,170 both count as 2000, which gives nine names per power of ten.
    """
    return prediction if isinstance(prediction, str) else f"{float(f'{prediction:.0e}') + 0.0:g}"
