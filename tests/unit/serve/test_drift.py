"""Tests of drift: how far answers differ from those in training."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from serve.telemetry.drift import FEWEST_ANSWERS, LARGE, MODERATE, drift_of, stability_index

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10_000), min_size=1)


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


def test_each_level_begins_at_its_threshold() -> None:
    """With too few answers, the level is unknown."""
    before = {"a": 1000, "b": 1000}
    fine, large = drift_of(before, {"a": 500, "b": 500}), drift_of(before, {"c": 1000})
    moderate = drift_of(before, {"a": 700, "b": 300})
    assert (fine.level, moderate.level, large.level) == ("fine", "warn", "bad")
    assert (fine.index or 0) < MODERATE <= (moderate.index or 0) < LARGE <= (large.index or 0)
    assert "retrain" in large.words
    few = drift_of(before, {"c": FEWEST_ANSWERS - 1})
    assert (few.index, few.level) == (None, "unknown")
    assert "Too few" in few.words


def test_without_counts_from_training_retraining_is_suggested() -> None:
    """Older models stored no answers to compare with."""
    assert "Retrain" in drift_of({}, {"a": 1000}).words
