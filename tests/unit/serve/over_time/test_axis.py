"""Tests of the axes of charts: where their ticks stand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.pages.over_time.axis import DAY, HOUR, TimeAxis, number_axis, round_step

MIDNIGHT = 1_764_374_400  # 2025-11-29, a Saturday


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1280, (0, 500, 1000, 1500)),
        (0, 0.3, (0, 0.1, 0.2, 0.3)),
        (0, 7, (0, 2, 4, 6, 8)),
        (0.61, 0.84, (0.6, 0.7, 0.8, 0.9)),
        (-3, 3, (-4, -2, 0, 2, 4)),
        (0, 0, (0, 0.5, 1)),
        (math.inf, -math.inf, (0, 0.5, 1)),
    ],
)
def test_ticks_stand_at_round_numbers(low: float, high: float, ticks: tuple[float, ...]) -> None:
    """The axis begins and ends at a tick, even if there is no value."""
    axis = number_axis(low, high)
    assert axis.ticks == ticks
    assert (axis.bottom, axis.top) == (ticks[0], ticks[-1])


def test_an_axis_of_counts_has_no_fractions() -> None:
    """There is no half answer."""
    assert number_axis(0, 2, whole=True).ticks == (0, 1, 2)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_an_axis_contains_its_numbers_and_has_few_ticks(low: float, high: float) -> None:
    """Whatever the numbers are."""
    axis = number_axis(low, high)
    assert 2 <= len(axis.ticks) <= 7
    tolerance = 1e-8 * max(abs(low), abs(high), 1)
    assert axis.bottom <= low + tolerance
    assert axis.top >= high - tolerance or low > high
    assert 0 <= axis.share(low) <= 1


@given(st.floats(1e-12, 1e12))
def test_a_step_is_one_two_or_five_times_a_power_of_ten(least: float) -> None:
    """And not much larger than needed."""
    step = round_step(least)
    assert 0.99 * least <= step <= 2.6 * least
    assert f"{step:.0e}"[0] in "125"


def test_a_day_has_ticks_at_whole_hours() -> None:
    """They are hours of UTC, which a browser rewrites."""
    ticks, are_days = TimeAxis(MIDNIGHT - 7 * HOUR, MIDNIGHT + 17 * HOUR, HOUR).ticks(7)
    assert [(at - MIDNIGHT) / HOUR for at in ticks] == [-6, 0, 6, 12]
    assert not are_days


def test_a_quarter_has_ticks_on_mondays() -> None:
    """A step is never shorter than those of the axis."""
    ticks, are_days = TimeAxis(MIDNIGHT - 90 * DAY, MIDNIGHT, DAY).ticks(7)
    assert are_days
    assert {(at - MIDNIGHT) // DAY % 7 for at in ticks} == {2}
    assert len(ticks) <= 8
    ticks, _ = TimeAxis(MIDNIGHT, MIDNIGHT + 2 * DAY, DAY).ticks(7)
    assert [(at - MIDNIGHT) / DAY for at in ticks] == [0, 1, 2]
