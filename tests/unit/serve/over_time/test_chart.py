"""Tests of the chart over time: marks, titles, gaps and texts."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from serve.pages.over_time.axis import DAY, HOUR, TimeAxis
from serve.pages.over_time.chart import Chart, Reference, Series, chart_svg
from serve.pages.time_text import day_text, time_tag

START = 1_764_374_400  # 2025-11-29 00:00 UTC
TIMES = TimeAxis(START, START + 4 * HOUR, HOUR)


def points(*values: float | None) -> list[tuple[float, float]]:
    """Return values by the hour, without those that are None."""
    return [(START + at * HOUR, value) for at, value in enumerate(values) if value is not None]


def bars(**more: object) -> Chart:
    """Return a chart of stacked bars with an hour without answers."""
    series = [
        Series("teacher", "bar", points(30, None, 10, 40), "teacher"),
        Series("student", "bar", points(20, None, 0, 10)),
    ]
    return Chart("Answers", TIMES, series, "answers", is_whole=True, **more)  # type: ignore[arg-type]


def test_bars_are_stacked_and_reach_the_value_on_the_axis() -> None:
    """The axis ends at 60, and the drawing is 500 high."""
    svg = chart_svg(bars())
    assert re.findall(r'<path class="(\w+)" d="M(\d+) (\d+)V(\d+)', svg) == [
        ("teacher", "1", "500", "250"),
        ("student", "1", "250", "83"),
        ("teacher", "21", "500", "417"),
        ("teacher", "31", "500", "167"),
        ("student", "31", "167", "83"),
    ]


def test_a_title_says_the_time_and_each_value_where_there_is_one() -> None:
    """An hour without answers has no title."""
    titles = re.findall(r"<title>(.*?)</title>", chart_svg(bars()), re.DOTALL)
    assert titles == [
        "2025-11-29 00:00 UTC\nteacher: 30\nstudent: 20",
        "2025-11-29 02:00 UTC\nteacher: 10\nstudent: 0",
        "2025-11-29 03:00 UTC\nteacher: 40\nstudent: 10",
    ]


def test_a_few_answers_among_thousands_are_still_a_line() -> None:
    """A bar that rounds to nothing would look like a gap."""
    chart = Chart("", TIMES, [Series("teacher", "bar", points(1, 90_000), "teacher")])
    assert 'd="M1 500V499h8V500"' in chart_svg(chart)


def test_a_screen_reader_hears_the_title_and_the_range() -> None:
    """Of the bars of an hour, the sum counts."""
    assert 'role="img" aria-label="Answers: from 10 to 50 answers"' in chart_svg(bars())


def test_the_axes_have_round_numbers_the_unit_and_hours_that_can_be_rewritten() -> None:
    """page.js shows them in the zone of the viewer."""
    svg = chart_svg(bars())
    assert re.findall(r'class="y".*?>(\d+)<', svg) == ["0", "20", "40", "60"]
    assert ">answers</text>" in svg
    assert 'data-time="2025-11-29T01:00Z">01:00</text>' in svg


def test_a_line_is_broken_where_there_is_no_value_and_a_lone_value_is_a_dot() -> None:
    """Zero would be a false value."""
    line = Series("share", "line", points(0.5, None, 0.25, 0.5))
    svg = chart_svg(Chart("", TIMES, [line], is_share=True))
    assert '<path class="line student" d="M5 83h0M25 292L35 83"/>' in svg
    assert '<path class="line dots student" d="M5 83h0"/>' in svg


def test_references_are_lines_with_a_title_inside_the_axis() -> None:
    """The axis makes room for them."""
    reference = Reference("training", 0.4, "alert")
    line = Series("share", "line", points(0.1, 0.2))
    svg = chart_svg(Chart("", TIMES, [line], references=[reference], is_share=True))
    assert "<title>training: 40 %</title>" in svg
    assert 'class="reference alert" x2="100%" y1="0%"' in svg


def test_an_axis_can_show_the_range_of_its_values_alone() -> None:
    """An accuracy that falls from 84 to 81 % would look flat between 0 and 100 %."""
    line = Series("accuracy", "line", points(0.81, 0.84))
    svg = chart_svg(Chart("", TIMES, [line], is_share=True, from_zero=False))
    assert re.findall(r'class="y".*?>([\d.]+ %)<', svg) == ["81 %", "82 %", "83 %", "84 %"]


def test_a_chart_without_values_says_so() -> None:
    """Values outside the time of the chart do not count."""
    chart = Chart("Answers", TIMES, [Series("teacher", "bar", [(START - HOUR, 5)])])
    assert chart.is_empty
    assert 'aria-label="Answers: no values yet"' in chart_svg(chart)


def test_days_are_those_of_utc() -> None:
    """A day that begins at another time would be another day's half."""
    times = TimeAxis(START, START + 3 * DAY, DAY)
    svg = chart_svg(Chart("", times, [Series("a", "bar", [(START + DAY, 5)])]))
    assert "data-time" not in svg
    assert ">Nov 29</text>" in svg
    assert "<title>Nov 30\n5.000</title>" in svg


def test_names_are_escaped_and_nothing_has_an_inline_style() -> None:
    """A prediction is whatever text a label is."""
    evil = '<script>"&'
    series = [Series(evil, "line", points(1), evil), Series("b", "bar", points(1))]
    chart = Chart(evil, TIMES, series, evil, [Reference(evil, 1)])
    svg = chart_svg(chart)
    assert "<script" not in svg
    assert "style" not in svg
    parser = HTMLParser()
    parser.feed(svg)
    parser.close()


def test_a_time_is_an_element_that_page_js_rewrites() -> None:
    """Without JavaScript it says UTC."""
    tag = '<time datetime="2025-11-29T00:00Z">2025-11-29 00:00 UTC</time>'
    assert time_tag(START) == tag
    assert time_tag(None) == "not known"
    assert day_text(START) == "Nov 29"
