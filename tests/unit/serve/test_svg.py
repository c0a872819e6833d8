"""Tests of the small plots, and of the formatted numbers and times next to them."""

from __future__ import annotations

import re

import pytest

from serve.pages.formatting import ago, date, duration, number
from serve.pages.home.traffic import quantiles
from serve.pages.svg import BARS_HEIGHT, HEIGHT, WIDTH, hour_bars, share_bar, sparkline
from serve.telemetry.counters import Durations


def test_a_line_runs_from_the_oldest_on_the_left_to_now_on_the_right() -> None:
    """The bottom is 0 and the top is the maximum; larger values stay at the top."""
    path = re.findall(
        r'class="line" d="([^"]*)"', sparkline([(100, 0.0), (98, 1.0), (0, 9.0)], 100, 1)
    )
    assert path == [f"M0 {HEIGHT:.1f}h1L5 0.0M{WIDTH} 0.0h1"]


def test_a_limit_is_drawn_unless_it_is_above_the_plot() -> None:
    """Making room for a limit that is never reached would flatten the line."""
    assert f'class="limit" d="M0 {HEIGHT / 2:.1f}H{WIDTH}"' in sparkline([], 100, 1.0, [0.5])
    assert "limit" not in sparkline([], 100, 1.0, [2.0])


def test_bars_of_an_hour_are_stacked_and_the_highest_fills_the_plot() -> None:
    """Hours without an answer are empty."""
    svg = hour_bars([{}, {"teacher": 3, "student": 1}, {"student": 2}], ("teacher", "student"))
    bars = re.findall(r'class="(\w+)" x="(\d+)" y="([\d.]+)" width="8" height="([\d.]+)"', svg)
    assert bars == [
        ("teacher", "11", "15.0", "45.0"),
        ("student", "11", "0.0", "15.0"),
        ("student", "21", "30.0", "30.0"),
    ]
    assert BARS_HEIGHT == 60
    assert hour_bars([{}], ("teacher",))


@pytest.mark.parametrize(("share", "width"), [(0.5, "50.0"), (-1.0, "0.0"), (7.0, "100.0")])
def test_a_bar_is_as_long_as_its_share(share: float, width: str) -> None:
    """Shares below 0 and above 1 stay inside the frame."""
    assert f'width="{width}"' in share_bar(share)


def test_no_plot_has_inline_styles() -> None:
    """The content security policy of the pages would block them."""
    svg = sparkline([(1, 1)], 10, 1, [0.5]) + hour_bars([{"a": 1}], ("a",)) + share_bar(0.5)
    assert "style" not in svg


def test_times_and_numbers_are_formatted_for_people() -> None:
    """A duration has the unit that leaves one or two digits."""
    assert [duration(value) for value in (5, 150, 9000, 260_000)] == ["5 s", "2 min", "2 h", "3 d"]
    assert ago(90.0, 100.0) == "10 s ago"
    assert ago(200.0, 100.0) == "0 s ago"
    assert date(None) == "not known"
    assert date(0.0) == "1970-01-01 00:00 UTC"
    assert [number(value) for value in (None, 0.5, -1234.5678, 2.5e7, -0.0)] == [
        *("–", "0.500", "−1,234.568", "25,000,000", "0.000"),
    ]
    assert [number(value, 0) for value in (-0.4, 1_282_999.7, 9.4e14, -1.5e15)] == [
        *("0", "1,283,000", "940,000,000,000,000", "−1.5e+15"),
    ]


def test_quantiles_are_upper_bounds_of_the_histogram() -> None:
    """Without requests there are none."""
    durations = Durations()
    assert quantiles(durations) == {}
    for milliseconds in [0.5] * 90 + [4] * 8 + [700] * 2:
        durations.observe(milliseconds / 1000)
    assert quantiles(durations) == {"p50": 0.001, "p95": 0.005, "p99": 1}
