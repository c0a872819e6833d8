"""Tests of the charts of predictions: answers, shares and drift over a span."""

from __future__ import annotations

import pytest

from db.errors import InputError
from db.traffic.counted_answers import AnswerCount
from serve.pages.over_time.axis import DAY, HOUR
from serve.pages.over_time.drift_data import counts_by_hour, drift_verdict, drift_words
from serve.pages.over_time.span import SPANS, find_span
from serve.pages.over_time.traffic_charts import (
    MOST_SHARES,
    answers_chart,
    drift_chart,
    prediction_shares,
    share_charts,
)
from serve.telemetry.drift import Drift

NOW = 1_764_374_400 + 10 * HOUR + 120.0
HOUR_NOW = int(NOW) // HOUR
DAY_SPAN, WEEK_SPAN, QUARTER_SPAN = SPANS


def test_a_span_ends_with_the_step_that_has_not_ended() -> None:
    """Steps of 24 hours and longer end at midnight in UTC."""
    times = DAY_SPAN.times(NOW, 1)
    assert (times.end - NOW, times.end - times.start) == (HOUR - 120, 24 * HOUR)
    weeks = QUARTER_SPAN.times(NOW, 7 * 24)
    assert (weeks.end % DAY, weeks.end - weeks.start) == (0, 91 * DAY)
    assert weeks.contains(NOW)


@pytest.mark.parametrize("span", SPANS, ids=lambda it: it.name)
def test_the_first_hour_of_a_span_reaches_before_all_its_charts(span: type) -> None:
    """The drift of the first step needs the hours before it."""
    found = find_span(span.name)  # type: ignore[attr-defined]
    first = found.first_hour(NOW) * HOUR
    assert first <= found.times(NOW, found.share_hours).start
    assert first <= found.times(NOW, found.drift_hours).start - 23 * HOUR


def test_an_unknown_span_is_refused_with_the_known_ones() -> None:
    """Without a span, a day is shown."""
    assert find_span("") is DAY_SPAN
    with pytest.raises(InputError, match="24h, 7d, 90d"):
        find_span("1y")


def test_answers_are_summed_by_step_and_source() -> None:
    """Both sources are named even if only one has answered."""
    rows = [
        AnswerCount(HOUR_NOW, "student", "a", 3),
        AnswerCount(HOUR_NOW, "student", "b", 4),
        AnswerCount(HOUR_NOW - 1, "student", "a", 1),
    ]
    chart = answers_chart(rows, DAY_SPAN.times(NOW, 1))
    assert [series.name for series in chart.series] == ["teacher", "student"]
    hour = HOUR_NOW * HOUR
    assert list(chart.rows()) == [(hour - HOUR, [None, 1]), (hour, [None, 7])]


def test_the_rarest_predictions_are_summed() -> None:
    """A prediction that only now is frequent is among those shown."""
    before = {f"label {at:02}": 100 - at for at in range(20)} | {"new": 0}
    shares = prediction_shares(before, {"new": 50, "label 19": 1})
    assert len(shares) == MOST_SHARES
    assert "new" in {share.title for share in shares}
    assert shares[-1].title == "10 other predictions"
    assert sum(share.trained or 0 for share in shares) == pytest.approx(1)
    assert sum(share.served for share in shares) == pytest.approx(1)


def test_numbers_stand_in_their_order_and_labels_by_frequency() -> None:
    """Of a regression the predictions are numbers, rounded to a digit."""
    assert [it.title for it in prediction_shares({"9000": 5, "20000": 9}, {})] == ["9000", "20000"]
    assert [it.title for it in prediction_shares({"a": 5, "b": 9}, {})] == ["b", "a"]


def test_a_share_is_shown_by_step_with_that_of_training() -> None:
    """A step in which the prediction was not given has a share of 0, one without answers none."""
    rows = [
        AnswerCount(HOUR_NOW, "student", "a", 1),
        AnswerCount(HOUR_NOW, "teacher", "b", 3),
        AnswerCount(HOUR_NOW - 4, "teacher", "b", 3),
    ]
    shares = prediction_shares({"a": 1, "b": 1}, {"a": 1, "b": 6})
    rare = list(share_charts(rows, shares, DAY_SPAN.times(NOW, 2)))[1]
    assert rare.title == "a"
    assert [value for _at, value in rare.series[0].points] == [0, 0.25]
    assert [reference.value for reference in rare.references] == [0.5]


def test_drift_is_shown_by_window_at_the_end_of_each_step() -> None:
    """A shift of two hours is large in the hours themselves, and small in the day."""
    rows = [
        AnswerCount(HOUR_NOW - ago, "student", label, count)
        for ago in range(1, 24)
        for label, count in ({"a": 60, "b": 60} if ago > 2 else {"a": 115, "b": 5}).items()
    ]
    before = {"a": 500, "b": 500}
    times = DAY_SPAN.times(NOW, 1)
    chart = drift_chart(before, counts_by_hour(rows), times, DAY_SPAN.windows)
    last = {series.name: series.points[-1] for series in chart.series}
    hour, six, day = (last[name][1] for name in ("1 hour", "6 hours", "24 hours"))
    assert hour > 1 > six > 0.1 > day
    # The current hour has no answer yet.
    assert last["1 hour"][0] == (HOUR_NOW - 1) * HOUR
    assert drift_chart({}, counts_by_hour(rows), times, (24,)).is_empty


@pytest.mark.parametrize(
    ("drift", "words", "verdict"),
    [
        (Drift(None), "no model yet", "–"),
        (Drift(None, reason="old model"), "Retrain it", "–"),
        (Drift(None, "unknown", "too few", 60, 142), "60 of 142", "too few: 60 of 142"),
        (Drift(0.01, "fine", "measured"), "match training", "matches training"),
        (Drift(0.2, "fine", "measured"), "by more than chance", "matches training"),
        (Drift(0.2, "warn", "measured", hours=6), "the last 6 hours differ somewhat", "somewhat"),
        (Drift(0.5, "bad", "measured", hours=1), "of the last hour differ from", "differs"),
    ],
)
def test_a_drift_is_said_in_words(drift: Drift, words: str, verdict: str) -> None:
    """With what to do where something has changed."""
    assert words in drift_words(drift)
    assert verdict in drift_verdict(drift)
