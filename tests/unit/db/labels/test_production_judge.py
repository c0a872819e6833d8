"""Tests of the judgement whether production is worse than training by more than chance."""

from __future__ import annotations

import pytest

from db.labels.production import (
    WEEK_SECONDS,
    JudgedWeek,
    WeekOutcomes,
    expected_of,
    judge_production,
    start_of_week,
    summarize_production,
)
from db.labels.production_judge import (
    MANY,
    Expected,
    Losses,
    normal_quantile,
    worst_by_chance,
)
from tests.simulation.production import SCENES, Scene, first_alert, green_runs

MONDAY = 1_764_547_200.0
TRAINED = Expected(0.18, (0.18 * 0.82) ** 0.5, 1500)


def week(losses: float, count: int = 100, **more: object) -> WeekOutcomes:
    """Return a week of the answers of a classification, of as many records."""
    values = {"start": MONDAY, "model_version": 1, "source": "student"}
    values |= {"outcomes": count, "records": count, "loss_sum": losses, "square_sum": losses}
    return WeekOutcomes(**values | more)  # type: ignore[arg-type]


def judged(*weeks: WeekOutcomes, is_regression: bool = False, **sources: Expected) -> JudgedWeek:
    """Return the judgement of the outcomes of one week."""
    expected = {(1, source): known for source, known in sources.items()}
    [found] = judge_production(weeks, expected, is_regression=is_regression)
    return found


def test_a_week_as_good_as_training_is_not_worse() -> None:
    """Nor is one that is worse by as much as chance does."""
    assert not judged(week(18), student=TRAINED).is_worse
    assert not judged(week(26), student=TRAINED).is_worse


def test_a_week_that_chance_hardly_explains_is_worse() -> None:
    """The limit is the loss from which on it is."""
    found = judged(week(40), student=TRAINED)
    assert found.is_worse
    assert found.limit is not None
    assert 0.28 < found.limit < 0.36


def test_the_error_of_training_counts_too() -> None:
    """A model that was measured on few records promises less."""
    few = judged(week(36), student=TRAINED._replace(records=40))
    many = judged(week(36), student=TRAINED._replace(records=40_000))
    assert (few.is_worse, many.is_worse) == (False, True)


def test_few_outcomes_are_not_judged_and_neither_is_an_unknown_version() -> None:
    """Without a limit there is no alert."""
    assert judged(week(19, 19), student=TRAINED).limit is None
    assert judged(week(100), teacher=TRAINED).limit is None


def test_answers_for_the_same_record_count_as_one() -> None:
    """A popular input that is always answered wrongly is one mistake."""
    assert not judged(week(60, records=10), student=TRAINED).is_worse
    wide = judged(week(60, records=30), student=TRAINED).limit
    narrow = judged(week(60), student=TRAINED).limit
    assert wide is not None
    assert narrow is not None
    assert wide > narrow


def test_teacher_and_student_are_each_compared_with_their_own_training() -> None:
    """Together they are one version's answers of a week."""
    teacher = Expected(0.02, 0.14, 1500)
    found = judged(week(1, 50, source="teacher"), week(9, 50), teacher=teacher, student=TRAINED)
    assert found.count == 100
    assert found.mean_loss == 0.10
    assert found.training_loss == pytest.approx(0.10)
    assert not found.is_worse


def test_the_errors_of_a_regression_are_judged_by_their_own_spread() -> None:
    """One outlier among many good answers is no alert; large errors throughout are."""
    trained = Expected(10.0, 10.0, 1000)
    outlier = week(900 + 1000, square_sum=90 * 100.0 + 1000.0**2)
    assert not judged(outlier, student=trained, is_regression=True).is_worse
    throughout = week(1900, square_sum=100 * 19.0**2 + 100 * 100.0)
    assert judged(throughout, student=trained, is_regression=True).is_worse


def test_many_answers_are_judged_as_few_are() -> None:
    """The normal distribution takes over where it is as good."""
    limits = [
        worst_by_chance(Losses(number, 0.2, 0.4), TRAINED, 13, is_regression=False)
        for number in (MANY - 1, MANY)
    ]
    assert limits[0] == pytest.approx(limits[1], abs=0.004)


def test_quantiles_of_the_normal_distribution() -> None:
    """They are those of every table."""
    assert normal_quantile(0.025) == pytest.approx(1.959964, abs=1e-6)
    assert normal_quantile(0.5) == pytest.approx(0.0, abs=1e-6)


def test_what_training_promised_is_read_from_the_metrics() -> None:
    """Rows of the same record are not independent, so records count."""
    metrics = {"rows": 900, "records": 500, "student": {"accuracy": 0.75}}
    student = expected_of(metrics, "student")
    assert student is not None
    assert (student.loss, student.records) == (0.25, 500)
    assert student.spread == pytest.approx(0.433, abs=0.001)
    assert expected_of(metrics, "teacher") is None
    regression = {"rows": 900, "teacher": {"mae": 3.0, "rmse": 5.0}}
    assert expected_of(regression, "teacher") == (3.0, 4.0, 900)


def test_weeks_begin_on_monday() -> None:
    """In UTC."""
    assert start_of_week(MONDAY) == MONDAY
    assert start_of_week(MONDAY - 1) == MONDAY - WEEK_SECONDS
    assert start_of_week(MONDAY + WEEK_SECONDS - 1) == MONDAY


def test_the_summary_has_the_last_four_weeks() -> None:
    """An older week that was worse raises no alarm any more."""
    old = JudgedWeek(MONDAY - 4 * WEEK_SECONDS, 1, 50, 0.9, 0.2, 0.4)
    new = [
        JudgedWeek(MONDAY - WEEK_SECONDS, 1, 30, 0.2, 0.2, 0.4),
        JudgedWeek(MONDAY, 2, 10, 0.4, 0.1, None),
    ]
    summary = summarize_production([old, *new], MONDAY + 5)
    assert summary is not None
    assert (summary.count, summary.is_worse) == (40, False)
    assert summary.mean_loss == pytest.approx(0.25)
    assert summary.training_loss == pytest.approx(0.175)
    assert summarize_production([old], MONDAY + 5) is None


def test_simulated_quarters_without_a_shift_stay_green() -> None:
    """In full: make simulate."""
    assert green_runs(SCENES["82 % right, 8 labels a day"], runs=4, first_seed=1000) >= 3


def test_a_simulated_shift_is_seen() -> None:
    """Within three weeks of which one passes before its labels come."""
    scene = Scene(15, 1500, 0.18, 0.45, shift_day=45)
    found = [first_alert(scene, seed) for seed in range(2)]
    assert all(day is not None and 52 <= day <= 66 for day in found), found
