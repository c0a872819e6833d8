"""The data of the page over time, read from the store at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.records.models.trained_model import Model, active_model
from db.store.direct.clock import wall_seconds
from db.traffic.counted_answers import AnswerCount, first_hour_of_model, read_answer_counts
from serve.telemetry.drift import Counts, Drift

from .axis import HOUR
from .chart import Chart
from .drift_data import counts_by_hour, read_drifts, trained_answers
from .span import Span
from .traffic_charts import (
    PredictionShare,
    answers_chart,
    drift_chart,
    prediction_shares,
    share_charts,
)


@dataclass(frozen=True)
class OverTime:
    """The predictions of a dataset that were served in a span; `drifts` are those until now."""

    model: Model | None
    answers: Chart
    answers_table: Chart
    total: int
    shares: Sequence[PredictionShare]
    share_charts: Sequence[Chart]
    drifts: Sequence[Drift]
    drift: Chart


def read_over_time(connection: Connection, dataset_id: int, span: Span) -> OverTime:
    """Read the counts of a span and make its charts."""
    now = wall_seconds(connection)
    model = active_model(connection, dataset_id)
    before = trained_answers(model) if model else {}
    rows = read_answer_counts(connection, dataset_id, span.first_hour(now), span.row_hours)
    times = span.times(now, span.row_hours)
    shown = [row for row in rows if times.contains(row.hour * HOUR)]
    by_hour = counts_by_hour(_own_rows(connection, dataset_id, model, rows))
    shares = prediction_shares(before, _by_prediction(shown))
    return OverTime(
        model=model,
        answers=answers_chart(shown, times),
        answers_table=answers_chart(shown, span.times(now, span.table_hours)),
        total=sum(row.answers for row in shown),
        shares=shares,
        share_charts=list(share_charts(rows, shares, span.times(now, span.share_hours))),
        drifts=read_drifts(connection, dataset_id, model),
        drift=drift_chart(before, by_hour, span.times(now, span.drift_hours), span.windows),
    )


def _by_prediction(rows: Sequence[AnswerCount]) -> Counts:
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.prediction] += row.answers
    return counts


def _own_rows(
    connection: Connection, dataset_id: int, model: Model | None, rows: Sequence[AnswerCount]
) -> list[AnswerCount]:
    """Return the answers that the model has given, without those of models before it."""
    if model is None:
        return []
    first = first_hour_of_model(connection, dataset_id, model.id)
    return [row for row in rows if row.hour >= first]
