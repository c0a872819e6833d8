"""The verdict on a run: what holds, and what may not be believed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.load.generator import LoadResult
from benchmark.load.scenario import Scenario, change
from benchmark.objective import read_objective
from benchmark.report.changes import changes
from benchmark.summary import knee, stages, summarize
from benchmark.target.scrape import Scrape, quantile_ms
from benchmark.text_table import PartVerdict
from benchmark.verdict import EXIT_CODES, reach_verdict, reasons_invalid

CLOSED = Scenario(about="ten", asks="mixed", objectives=(), seconds=10, users=10, spawn_rate=10)
OPEN = Scenario(about="more", asks="unseen", objectives=(), seconds=2, rates=(10, 20, 40))
DESCRIPTORS = 500
QUIET = [[float(second), 10.0, 0.001, 0.2, 0.05] for second in range(1, 11)]


def seen(
    milliseconds: list[float],
    *,
    began: list[float] | None = None,
    status: list[int] | None = None,
    source: list[str] | None = None,
    ticks: list[list[float]] | None = None,
    failures: dict[str, int] | None = None,
) -> LoadResult:
    """Return a run of these answers, all good unless said otherwise."""
    count = len(milliseconds)
    return LoadResult(
        np.array(began or [0.0] * count, float),
        np.array(milliseconds, float),
        np.array(status or [200] * count, int),
        np.array(source or [""] * count, str),
        np.array(QUIET if ticks is None else ticks, float).reshape(-1, 5),
        failures or {},
        0,
        DESCRIPTORS,
    )


def figures_of(scenario: Scenario, run: LoadResult) -> dict[str, float]:
    """Return the figures of a run without a server's own."""
    return summarize(scenario, run, np.array([]), None, None)


def test_percentiles_are_times_that_were_really_seen() -> None:
    """The hundredth of a hundred answers is not smoothed away."""
    figures = figures_of(CLOSED, seen([1.0] * 99 + [500.0]))
    assert (figures["p50"], figures["p95"], figures["max"]) == (1.0, 1.0, 500.0)
    assert figures_of(CLOSED, seen([1.0] * 90 + [500.0] * 10))["p95"] == 500.0


def test_a_failure_is_an_error_and_not_a_quick_answer() -> None:
    """A server that refuses at once is not fast."""
    figures = figures_of(CLOSED, seen([0.1, 50.0], status=[503, 200]))
    assert figures["errors"] == 5_000
    assert figures["p50"] == 50.0
    assert figures["rate"] == pytest.approx(0.1)


def test_each_source_has_figures_of_its_own() -> None:
    """The teacher's stored answers hide nothing of the student's."""
    figures = figures_of(CLOSED, seen([1.0, 9.0], source=["teacher", "student"]))
    assert (figures["p95 of teacher"], figures["p95 of student"]) == (1.0, 9.0)


def test_what_was_not_measured_does_not_hold() -> None:
    """A promise about a source that answered nothing is not kept by silence."""
    objectives = [read_objective("p95 <= 10 ms"), read_objective("p95 of student <= 10 ms")]
    verdict = reach_verdict(objectives, {"p95": 1.0}, [])
    assert (verdict.word, EXIT_CODES[verdict.word]) == ("FAIL", 1)
    assert [line.holds for line in verdict.results] == [True, False]


def test_a_doubt_outweighs_whatever_was_measured() -> None:
    """Be it good or bad."""
    good = reach_verdict([read_objective("p95 <= 10 ms")], {"p95": 1.0}, ["starved"])
    bad = reach_verdict([read_objective("p95 <= 10 ms")], {"p95": 99.0}, ["starved"])
    assert good.word == bad.word == "INVALID"
    assert EXIT_CODES["INVALID"] == 3
    held = reach_verdict([read_objective("p95 <= 10 ms")], {"p95": 1.0}, [])
    assert EXIT_CODES[held.word] == 0


def test_a_part_that_fails_fails_the_run() -> None:
    """An image that has grown is too large, whatever else may be believed."""
    promise, figures = [read_objective("p95 <= 10 ms")], {"p95": 1.0}
    grown, slim = PartVerdict("FAIL", "image size", ""), PartVerdict("PASS", "image size", "")
    assert reach_verdict(promise, figures, ["starved"], [grown]).word == "FAIL"
    assert reach_verdict(promise, figures, ["starved"], [slim]).word == "INVALID"
    assert reach_verdict(promise, figures, [], [slim]).word == "PASS"


def test_a_quiet_run_raises_no_doubt() -> None:
    """Else every verdict would be INVALID."""
    assert reasons_invalid(CLOSED, seen([1.0] * 100)) == []


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (seen([1.0], ticks=[[1, 10, 0.0, 0.95, 0.0]]), "more than 90% of a core"),
        (seen([1.0], ticks=[[1, 10, 0.0, 0.5, 0.45]]), "used or waited for more than"),
        (seen([1.0], ticks=[[1, 10, 0.4, 0.1, 0.0]]), "event loop was 0.40 s late"),
        (seen([1.0], ticks=[[1, 7, 0.0, 0.1, 0.0]]), "only 7 of 10 users were started"),
        (seen([1.0], ticks=[]), "too slow to record a single second"),
        (seen([1.0], failures={"EADDRNOTAVAIL": 3}), "3 requests were not sent"),
    ],
)
def test_a_generator_that_measured_itself_is_told(run: LoadResult, words: str) -> None:
    """With what it was short of."""
    assert any(words in doubt for doubt in reasons_invalid(CLOSED, run))


def test_a_generator_that_was_quiet_while_little_was_asked_is_told_all_the_same() -> None:
    """What counts is how it was when most requests were sent."""
    rise = [[float(second), 10.0, 0.0, 0.2, 0.0] for second in range(1, 10)]
    busy = seen([1.0] * 100, began=[1.0] * 10 + [9.5] * 90, ticks=[*rise, [10, 10, 0.0, 0.95, 0.0]])
    assert any(doubt.startswith("90% of the requests") for doubt in reasons_invalid(CLOSED, busy))
    early = seen([1.0] * 100, began=[1.0] * 97 + [9.5] * 3, ticks=[*rise, [10, 10, 0.0, 0.95, 0.0]])
    assert reasons_invalid(CLOSED, early) == []


def test_users_for_whom_there_are_no_connections_are_told() -> None:
    """Before they are missed in the figures."""
    many = change(CLOSED, users=1_000, spawn_rate=1_000.0)
    assert any(
        "may open only 500 files and needs 1,050" in doubt
        for doubt in reasons_invalid(many, seen([1.0]))
    )


def test_a_rate_that_was_not_reached_is_told() -> None:
    """An open load that was not sent is none."""
    run = seen([1.0] * 100)
    assert "only 100 of 140 requests were sent: the rate was not reached" in reasons_invalid(
        OPEN, run
    )
    assert reasons_invalid(OPEN, seen([1.0] * 140)) == []


def test_errors_of_the_server_are_no_doubt() -> None:
    """A server that was killed has failed; the generator did its part."""
    run = seen([1.0] * 100, failures={"ECONNREFUSED": 50})
    assert reasons_invalid(CLOSED, run) == []


def arrivals(*late: int) -> LoadResult:
    """Return a run of OPEN in which these stages came late."""
    began, milliseconds = [], []
    for stage, rate in enumerate(OPEN.rates):
        for number in range(round(rate * OPEN.seconds)):
            began.append(stage * OPEN.seconds + number / rate)
            milliseconds.append(900.0 if stage in late else 2.0)
    return seen(milliseconds, began=began)


@pytest.mark.parametrize(("late", "expected"), [((), 40), ((2,), 20), ((0,), 0), ((1,), 10)])
def test_the_knee_is_the_highest_rate_that_is_held_with_all_below(
    late: tuple[int, ...], expected: float
) -> None:
    """A rate above one that came late proves nothing."""
    assert knee(stages(OPEN, arrivals(*late))) == expected


def test_the_servers_percentile_is_of_what_it_did_during_the_run() -> None:
    """Whatever it had done before."""
    before = Scrape({0.01: 500.0, 0.1: 1000.0, float("inf"): 1000.0}, 0, 0)
    after = Scrape({0.01: 600.0, 0.1: 1100.0, float("inf"): 1100.0}, 0, 0)
    assert quantile_ms(before, after, 0.99) == pytest.approx(9.9)
    assert quantile_ms(before, before, 0.99) is None


def test_what_became_worse_is_named_and_chance_is_not() -> None:
    """A fifth of a millisecond is nothing; a fifth fewer answers is."""
    then = {"p95": 1.0, "p99": 10.0, "rate": 100.0, "errors": 0.0, "memory": 50.0}
    now = {"p95": 1.9, "p99": 20.0, "rate": 80.0, "errors": 0.5, "memory": 51.0}
    assert {one.name for one in changes(then, now) if one.is_worse} == {"p99", "rate", "errors"}
    assert not any(one.is_worse for one in changes(then, then))
    assert not any(
        one.is_worse for one in changes({"p99": 20.0, "rate": 80.0}, {"p99": 10.0, "rate": 99.0})
    )
