"""How good a model is in production: the outcomes of its answers by week, against training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Double, Integer, case, cast, func, select

from db.records.dataset import Dataset
from db.store import tables
from db.store.direct.clock import wall_seconds

from .production_judge import FEWEST_JUDGED, Expected, Losses, worst_by_chance

WEEK_SECONDS = 7 * 86_400
# 1970-01-05 was a Monday; weeks begin on Monday, in UTC.
_FIRST_MONDAY = 4 * 86_400
# The weeks that are read and shown: as long as answers are kept.
MOST_WEEKS = 13
SUMMARY_WEEKS = 4
# Reading more would take a page longer than a request may.
MOST_OUTCOMES = 50_000

_outcome = tables.outcome.c


class WeekOutcomes(NamedTuple):
    """The outcomes of one version's answers of one week, from the teacher or the student.

    The loss of an answer is 1 if it is wrong and 0 if it is right; of a regression it is the
    absolute error. `records` is how many distinct records they are of.
    """

    start: float
    model_version: int
    source: str
    outcomes: int
    records: int
    loss_sum: float
    square_sum: float


@dataclass(frozen=True)
class JudgedWeek:
    """The mean loss of one version's answers of one week, and what training promised.

    `limit` is the mean loss from which on it is worse than in training by more than chance; None
    where there are too few outcomes to judge, or training's loss is not known.
    """

    start: float
    model_version: int
    count: int
    mean_loss: float
    training_loss: float | None
    limit: float | None

    @property
    def is_worse(self) -> bool:
        """Whether the answers were worse than in training by more than chance."""
        return self.limit is not None and self.mean_loss >= self.limit


@dataclass(frozen=True)
class ProductionSummary:
    """How good the answers of the last SUMMARY_WEEKS weeks turned out to be.

    For a classification 1 - `mean_loss` of them were right; for a regression `mean_loss` is the
    mean absolute error. `training_loss` is what training promised, None where it is not known.
    """

    count: int
    mean_loss: float
    training_loss: float | None
    is_worse: bool


def read_outcomes(
    connection: Connection, dataset: Dataset, now: float, weeks: int = MOST_WEEKS
) -> list[WeekOutcomes]:
    """Return the outcomes of the last weeks, the current one included, by week and version.

    Of more than MOST_OUTCOMES the newest are read, so that the first weeks have fewer or none.
    """
    starts = [start_of_week(now) - ago * WEEK_SECONDS for ago in range(weeks)]
    number = case(
        *((_outcome.predicted_at >= start, ago) for ago, start in enumerate(starts)), else_=weeks
    )
    loss = _loss(is_regression=dataset.spec.kind == "regression")
    each = (
        select(
            number.label("weeks_ago"),
            _outcome.model_version,
            _outcome.source,
            tables.observation.c.record_id,
            loss.label("loss"),
        )
        .join(tables.observation, tables.observation.c.id == _outcome.observation_id)
        .where(_outcome.dataset_id == dataset.id, _outcome.predicted_at >= starts[-1])
        .order_by(_outcome.predicted_at.desc())
        .limit(MOST_OUTCOMES)
        .subquery()
    )
    of_group = each.c.weeks_ago, each.c.model_version, each.c.source
    amounts = (
        func.count(),
        func.count(each.c.record_id.distinct()),
        func.sum(each.c.loss),
        func.sum(each.c.loss * each.c.loss),
    )
    query = select(*of_group, *amounts).group_by(*of_group).order_by(*of_group)
    return [WeekOutcomes(starts[row[0]], *row[1:]) for row in connection.execute(query)]


def _loss(*, is_regression: bool) -> ColumnElement[Any]:
    if is_regression:
        return func.abs(cast(_outcome.prediction, Double) - cast(_outcome.label, Double))
    return cast(case((_outcome.prediction == _outcome.label, 0), else_=1), Integer)


def start_of_week(at: float) -> float:
    """Return the beginning of the Monday of a time's week, in UTC."""
    return at - (at - _FIRST_MONDAY) % WEEK_SECONDS


def read_expected(
    connection: Connection, dataset: Dataset, versions: Collection[int]
) -> dict[tuple[int, str], Expected]:
    """Return what training promised of versions, by version and by teacher or student."""
    model = tables.model.c
    query = select(model.version, model.metrics).where(model.dataset_id == dataset.id)
    found: dict[tuple[int, str], Expected] = {}
    for version, text in connection.execute(query.where(model.version.in_(sorted(versions)))):
        metrics = msgspec.json.decode(text)
        for source in ("teacher", "student"):
            if promised := expected_of(metrics, source):
                found[version, source] = promised
    return found


def expected_of(metrics: dict[str, Any], source: str) -> Expected | None:
    """Return the loss that training measured on rows which it had not learned from."""
    scores = metrics.get(source)
    records = metrics.get("records", metrics.get("rows"))
    if not scores or not records:
        return None
    if "accuracy" in scores:
        wrong = 1 - scores["accuracy"]
        return Expected(wrong, (wrong * (1 - wrong)) ** 0.5, records)
    spread = max(scores["rmse"] ** 2 - scores["mae"] ** 2, 0.0) ** 0.5
    return Expected(scores["mae"], spread, records)


def judge_production(
    outcomes: Sequence[WeekOutcomes],
    expected: dict[tuple[int, str], Expected],
    *,
    is_regression: bool,
) -> list[JudgedWeek]:
    """Return each week of each version with the loss from which on it is worse than in training.

    The limits are such that a model which is as good as in training exceeds none of them, in at
    least 95 of 100 quarters, even if somebody looks every day.
    """
    by_week: defaultdict[tuple[float, int], list[WeekOutcomes]] = defaultdict(list)
    for one in outcomes:
        by_week[one.start, one.model_version].append(one)
    looks = max(len(by_week), MOST_WEEKS)
    return [
        _judged(parts, expected, looks, is_regression=is_regression)
        for _, parts in sorted(by_week.items())
    ]


def _judged(
    parts: Sequence[WeekOutcomes],
    expected: dict[tuple[int, str], Expected],
    looks: int,
    *,
    is_regression: bool,
) -> JudgedWeek:
    """Judge the answers of teacher and student together, each against its own training."""
    count = sum(part.outcomes for part in parts)
    mean = sum(part.loss_sum for part in parts) / count
    promised = _mixed(parts, expected, count)
    limit = None
    # Answers for the same record are right or wrong together, so they count as one.
    records = sum(part.records for part in parts)
    if promised is not None and records >= FEWEST_JUDGED:
        square = sum(part.square_sum for part in parts) / count
        losses = Losses(records, mean, max(square - mean**2, 0.0) ** 0.5)
        limit = worst_by_chance(losses, promised, looks, is_regression=is_regression)
    training = None if promised is None else promised.loss
    return JudgedWeek(parts[0].start, parts[0].model_version, count, mean, training, limit)


def _mixed(
    parts: Sequence[WeekOutcomes], expected: dict[tuple[int, str], Expected], count: int
) -> Expected | None:
    """Return what training promised of answers of which some are the student's."""
    known = [
        (part.outcomes / count, expected.get((part.model_version, part.source))) for part in parts
    ]
    if any(promised is None for _, promised in known):
        return None
    shares = [(share, promised) for share, promised in known if promised is not None]
    return Expected(
        sum(share * promised.loss for share, promised in shares),
        sum(share * promised.spread**2 for share, promised in shares) ** 0.5,
        min(promised.records for _, promised in shares),
    )


def read_production(
    connection: Connection, dataset: Dataset, weeks: int = MOST_WEEKS
) -> list[JudgedWeek]:
    """Return the last weeks of a dataset, judged, the oldest first."""
    outcomes = read_outcomes(connection, dataset, wall_seconds(connection), weeks)
    expected = read_expected(connection, dataset, {one.model_version for one in outcomes})
    is_regression = dataset.spec.kind == "regression"
    return judge_production(outcomes, expected, is_regression=is_regression)


def summarize_production(weeks: Sequence[JudgedWeek], now: float) -> ProductionSummary | None:
    """Return the last SUMMARY_WEEKS weeks in one, None without outcomes."""
    since = start_of_week(now) - (SUMMARY_WEEKS - 1) * WEEK_SECONDS
    recent = [week for week in weeks if week.start >= since]
    count = sum(week.count for week in recent)
    if not count:
        return None
    promised = [(week.count, week.training_loss) for week in recent]
    training = None
    if all(loss is not None for _, loss in promised):
        training = sum(number * (loss or 0.0) for number, loss in promised) / count
    mean = sum(week.count * week.mean_loss for week in recent) / count
    return ProductionSummary(count, mean, training, any(week.is_worse for week in recent))


def production_summary(connection: Connection, dataset: Dataset) -> ProductionSummary | None:
    """Return how good the answers of the last weeks turned out to be, None without outcomes."""
    weeks = read_production(connection, dataset, SUMMARY_WEEKS)
    return summarize_production(weeks, wall_seconds(connection))
