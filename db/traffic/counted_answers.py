"""The counts of answers that web processes have written: read for charts, and pruned."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from db.store import tables
from db.store.direct.clock import wall_seconds

from .prediction_counts import HOUR_SECONDS

KEEP_HOURS = 24 * 90


class AnswerCount(NamedTuple):
    """The answers of one source with one prediction, in the hours that begin with `hour`."""

    hour: int
    source: str
    prediction: str
    answers: int


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


def read_answer_counts(
    connection: Connection, dataset_id: int, first_hour: int, step_hours: int = 1
) -> list[AnswerCount]:
    """Return the counts since `first_hour`, summed over steps of hours counted from 1970."""
    served = tables.served.c
    step = served.hour // step_hours
    query = (
        select(step, served.source, served.prediction, func.sum(served.answers))
        .where(served.dataset_id == dataset_id, served.hour >= first_hour)
        .group_by(step, served.source, served.prediction)
        .order_by(step, served.source, served.prediction)
    )
    return [
        AnswerCount(step * step_hours, source, prediction, int(answers))
        for step, source, prediction, answers in connection.execute(query)
    ]


def first_hour_of_model(connection: Connection, dataset_id: int, model_id: int) -> int:
    """Return the first hour, counted from 1970, in which only this model has answered.

    That is the hour after it was activated, since another model may have answered before.
    """
    model = tables.model.c
    query = select(model.id, model.activated_at).where(
        model.dataset_id == dataset_id, model.activated_at.isnot(None)
    )
    activated = {row.id: row.activated_at for row in connection.execute(query)}
    if set(activated) <= {model_id}:
        return 0
    return int(activated.get(model_id, 0.0)) // HOUR_SECONDS + 1


def prune_prediction_counts(connection: Connection) -> int:
    """Delete the counts of hours older than KEEP_HOURS; return how many rows."""
    oldest = int(wall_seconds(connection)) // HOUR_SECONDS - KEEP_HOURS
    return connection.execute(delete(tables.served).where(tables.served.c.hour < oldest)).rowcount
