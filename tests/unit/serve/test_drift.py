"""Tests of drift: how far answers differ from those in training, and when that is no chance."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.telemetry.drift import (
    FEWEST_ANSWERS,
    LARGE,
    MODERATE,
    Drift,
    chi_square_limit,
    compare,
    drift_of,
    drifts,
    g_statistic,
    stability_index,
    worst_drift,
)
from tests.simulation.drift import SCENES, green_days, hours_until_seen

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000), min_size=1)
BEFORE = {"a": 1000, "b": 1000}


def test_answers_in_the_same_proportions_as_in_training_have_not_drifted() -> None:
    """Their number does not matter."""
    assert stability_index({"a": 500, "b": 300, "c": 200}, {"a": 5000, "b": 3000, "c": 2000}) < 1e-4


def test_the_index_equals_a_manual_calculation() -> None:
    """The shares change from 0.5 and 0.5 to 0.9 and 0.1: 0.4 ln 1.8 - 0.4 ln 0.2."""
    expected = 0.4 * math.log(1.8) - 0.4 * math.log(0.2)
    index = stability_index({"a": 50_000, "b": 50_000}, {"a": 90_000, "b": 10_000})
    assert abs(index - expected) < 1e-3


@given(COUNTS, COUNTS)
def test_the_index_is_symmetric_and_never_negative(
    before: dict[str, int], now: dict[str, int]
) -> None:
    """Labels that only one side has are allowed."""
    index = stability_index(before, now)
    assert 0 <= index < math.inf
    assert math.isclose(index, stability_index(now, before), abs_tol=1e-9)


@given(COUNTS, COUNTS)
def test_any_counts_can_be_compared(before: dict[str, int], now: dict[str, int]) -> None:
    """Rare names are counted together, also if training has none of them."""
    if sum(before.values()) and sum(now.values()):
        found = compare(before, now)
        assert found.index >= 0
        assert not compare(before, before).is_certain


def test_the_g_test_equals_a_manual_calculation() -> None:
    """Of 20 and 20 against 30 and 10."""
    expected = 2 * (20 * math.log(20 / 25) + 20 * math.log(20 / 15))
    expected += 2 * (30 * math.log(30 / 25) + 10 * math.log(10 / 15))
    assert math.isclose(g_statistic({"a": 20, "b": 20}, {"a": 30, "b": 10}), expected)


@pytest.mark.parametrize(("degrees", "limit"), [(1, 19.51), (7, 35.26), (30, 75.02), (100, 172.1)])
def test_the_limit_is_near_that_of_a_table(degrees: int, limit: float) -> None:
    """The quantiles of chi-square at 0.99999."""
    assert limit < chi_square_limit(degrees) < limit * 1.12


def test_each_level_begins_at_its_threshold() -> None:
    """With too few answers, the level is unknown."""
    fine, large = drift_of(BEFORE, {"a": 500, "b": 500}), drift_of(BEFORE, {"c": 1000})
    moderate = drift_of(BEFORE, {"a": 700, "b": 300})
    assert (fine.level, moderate.level, large.level) == ("fine", "warn", "bad")
    assert (fine.index or 0) < MODERATE <= (moderate.index or 0) < LARGE <= (large.index or 0)
    few = drift_of(BEFORE, {"c": FEWEST_ANSWERS - 1})
    assert (few.index, few.level, few.reason) == (None, "unknown", "too few")


def test_few_answers_are_green_only_if_a_large_drift_would_be_seen() -> None:
    """A drift that is beyond chance is shown whatever their number is."""
    same, other = {"a": 30, "b": 30}, {"a": 3, "b": 57}
    unknown = drift_of(BEFORE, same)
    assert (unknown.level, unknown.reason, unknown.needed) == ("unknown", "too few", 87)
    assert drift_of(BEFORE, other).level == "bad"
    assert drift_of(BEFORE, {"a": 45, "b": 45}).level == "fine"


def test_without_counts_from_training_the_model_is_old() -> None:
    """Older models stored no answers to compare with."""
    assert drift_of({}, {"a": 1000}).reason == "old model"


def test_a_shift_of_some_hours_counts_though_the_day_matches_training() -> None:
    """The day hides it."""
    by_hour = {hour: {"a": 50, "b": 50} for hour in range(18)}
    by_hour |= {hour: {"a": 85, "b": 15} for hour in range(18, 24)}
    hour, six, day = drifts(BEFORE, by_hour, 23)
    assert [it.answers for it in (hour, six, day)] == [200, 700, 2400]
    assert (hour.level, six.level, day.level) == ("bad", "bad", "fine")
    assert worst_drift([hour, six, day]) is hour


def test_a_single_hour_that_differs_somewhat_is_usual() -> None:
    """At night people ask for other things than at noon."""
    counts = {"a": 1400, "b": 600}
    assert [drift_of(BEFORE, counts, hours).level for hours in (1, 6)] == ["fine", "warn"]


def test_without_drift_the_longest_window_is_shown() -> None:
    """An unknown window does not hide a known one."""
    known = [Drift(0.05, "fine", "measured", hours=1), Drift(0.01, "fine", "measured", hours=24)]
    assert worst_drift([*known, Drift(None, hours=6)]).hours == 24
    assert worst_drift([Drift(None, hours=6), Drift(None, hours=24)]).hours == 24


def test_simulated_days_without_a_shift_stay_green_and_a_shift_is_seen_in_hours() -> None:
    """A quick part of `make simulate`."""
    scene = SCENES["8 equal labels, 40 answers an hour"]
    assert green_days(scene, 1, days=4) == 4
    assert max(hours_until_seen(scene, seed) for seed in range(4)) <= 6
