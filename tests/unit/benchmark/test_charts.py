"""Tests of the charts of a benchmark's report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from benchmark.load.generator import LoadResult
from benchmark.load.scenario import Scenario
from benchmark.report.chart import COLOURS, STUDENT, TEACHER
from benchmark.report.plot import RunData, charts
from benchmark.report.result import format_figure
from benchmark.summary import summarize
from tests.conftest import ROOT

SCENARIO = Scenario("a test", "mixed", (), seconds=2.0, rates=(10.0,))


def run_of(milliseconds: list[float]) -> RunData:
    """Return a run with answers of teacher and student in turn."""
    count = len(milliseconds)
    load = LoadResult(
        np.linspace(0, 1.9, count),
        np.array(milliseconds),
        np.full(count, 200),
        np.array(["teacher", "student"] * (count // 2)),
        np.array([[1.0, 0.0, 0.0, 0.1, 0.0], [2.0, 0.0, 0.0, 0.1, 0.0]]),
        {},
        0,
        0,
    )
    return RunData(SCENARIO, load, np.array([]))


def test_a_chart_shows_the_percentile_that_the_figures_show(tmp_path: Path) -> None:
    """Of few answers, an interpolated percentile would be another one."""
    run = run_of([1.0, 2.0, 3.0, 4.28])
    p95 = format_figure("p95", summarize(SCENARIO, run.load, np.array([]), None, None)["p95"])
    [chart] = [one for one in charts(run) if one.name == "distribution"]
    assert p95 == "4.28 ms"
    assert f"p95 {p95}" in chart.write(tmp_path)


def test_teacher_and_student_have_the_colours_of_the_pages(tmp_path: Path) -> None:
    """In the light and in the dark theme."""
    [chart] = [one for one in charts(run_of([1.0, 2.0])) if one.name == "sources"]
    drawn = chart.write(tmp_path)
    assert drawn.index("var(--teacher)") < drawn.index("var(--student)")
    page = (ROOT / "serve/pages/static/page.css").read_text("utf-8")
    own = COLOURS.read_text("utf-8")
    for name, light in (("teacher", TEACHER), ("student", STUDENT)):
        colours = re.findall(rf"--{name}: (#\w+);", page)
        assert colours[0] == light
        assert re.findall(rf"--{name}: (#\w+);", own) == colours
