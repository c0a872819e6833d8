"""Tests of the verdict on a run: whether it passes, fails or is invalid."""

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


def load_result(
    milliseconds: list[float],
    *,
    began: list[float] | None = None,
    status: list[int] | None = None,
    source: list[str] | None = None,
    ticks: list[list[float]] | None = None,
    failures: dict[str, int] | None = None,
) -> LoadResult:
    """Return a run with these answers, all of them successful by default."""
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
    """Return the figures of a run, without those scraped from a server."""
    return summarize(scenario, run, np.array([]), None, None)


def test_percentiles_are_measured_times() -> None:
    """The slowest of a hundred answers is not smoothed away."""
    figures = figures_of(CLOSED, load_result([1.0] * 99 + [500.0]))
    assert (figures["p50"], figures["p95"], figures["max"]) == (1.0, 1.0, 500.0)
    assert figures_of(CLOSED, load_result([1.0] * 90 + [500.0] * 10))["p95"] == 500.0


def test_a_failure_is_an_error_and_not_a_fast_answer() -> None:
    """A server that refuses at once is not fast."""
    figures = figures_of(CLOSED, load_result([0.1, 50.0], status=[503, 200]))
    assert figures["errors"] == 5_000
    assert figures["p50"] == 50.0
    assert figures["rate"] == pytest.approx(0.1)


def test_each_source_has_its_own_figures() -> None:
    """Stored answers of the teacher must not hide slow answers of the student."""
    figures = figures_of(CLOSED, load_result([1.0, 9.0], source=["teacher", "student"]))
    assert (figures["p95 of teacher"], figures["p95 of student"]) == (1.0, 9.0)


def test_an_objective_without_measurements_fails() -> None:
    """An objective about a source that answered nothing must not pass by default."""
    objectives = [read_objective("p95 <= 10 ms"), read_objective("p95 of student <= 10 ms")]
    verdict = reach_verdict(objectives, {"p95": 1.0}, [])
    assert (verdict.word, EXIT_CODES[verdict.word]) == ("FAIL", 1)
    assert [line.holds for line in verdict.results] == [True, False]


def test_a_run_that_cannot_be_trusted_is_invalid() -> None:
    """It is invalid whether its figures are good or bad."""
    good = reach_verdict([read_objective("p95 <= 10 ms")], {"p95": 1.0}, ["starved"])
    bad = reach_verdict([read_objective("p95 <= 10 ms")], {"p95": 99.0}, ["starved"])
    assert good.word == bad.word == "INVALID"
    assert EXIT_CODES["INVALID"] == 3
    trusted = reach_verdict([read_objective("p95 <= 10 ms")], {"p95": 1.0}, [])
    assert EXIT_CODES[trusted.word] == 0


def test_a_part_that_fails_fails_the_run() -> None:
    """An image that is too large fails even a run whose times cannot be trusted."""
    objectives, figures = [read_objective("p95 <= 10 ms")], {"p95": 1.0}
    failed, passed = PartVerdict("FAIL", "image size", ""), PartVerdict("PASS", "image size", "")
    assert reach_verdict(objectives, figures, ["starved"], [failed]).word == "FAIL"
    assert reach_verdict(objectives, figures, ["starved"], [passed]).word == "INVALID"
    assert reach_verdict(objectives, figures, [], [passed]).word == "PASS"


def test_an_undisturbed_run_is_valid() -> None:
    """Otherwise every verdict would be INVALID."""
    assert reasons_invalid(CLOSED, load_result([1.0] * 100)) == []


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (load_result([1.0], ticks=[[1, 10, 0.0, 0.95, 0.0]]), "more than 90% of a core"),
        (load_result([1.0], ticks=[[1, 10, 0.0, 0.5, 0.45]]), "used or waited for more than"),
        (load_result([1.0], ticks=[[1, 10, 0.4, 0.1, 0.0]]), "event loop was 0.40 s late"),
        (load_result([1.0], ticks=[[1, 7, 0.0, 0.1, 0.0]]), "only 7 of 10 users were started"),
        (load_result([1.0], ticks=[]), "too slow to record a single second"),
        (load_result([1.0], failures={"EADDRNOTAVAIL": 3}), "3 requests were not sent"),
    ],
)
def test_a_run_limited_by_the_generator_is_invalid(run: LoadResult, words: str) -> None:
    """The reason names the resource that the generator lacked."""
    assert any(words in reason for reason in reasons_invalid(CLOSED, run))


def test_the_generators_load_counts_when_most_requests_are_sent() -> None:
    """A busy second counts only if many of the requests were sent in it."""
    quiet_seconds = [[float(second), 10.0, 0.0, 0.2, 0.0] for second in range(1, 10)]
    busy = load_result(
        [1.0] * 100, began=[1.0] * 10 + [9.5] * 90, ticks=[*quiet_seconds, [10, 10, 0.0, 0.95, 0.0]]
    )
    assert any(reason.startswith("90% of the requests") for reason in reasons_invalid(CLOSED, busy))
    early = load_result(
        [1.0] * 100, began=[1.0] * 97 + [9.5] * 3, ticks=[*quiet_seconds, [10, 10, 0.0, 0.95, 0.0]]
    )
    assert reasons_invalid(CLOSED, early) == []


def test_too_few_file_descriptors_for_the_users_make_a_run_invalid() -> None:
    """The users without a connection would be missing from the figures."""
    many = change(CLOSED, users=1_000, spawn_rate=1_000.0)
    assert any(
        "may open only 500 files and needs 1,050" in reason
        for reason in reasons_invalid(many, load_result([1.0]))
    )


def test_a_rate_that_was_not_reached_makes_a_run_invalid() -> None:
    """An open load must send all its requests."""
    run = load_result([1.0] * 100)
    assert "only 100 of 140 requests were sent: the rate was not reached" in reasons_invalid(
        OPEN, run
    )
    assert reasons_invalid(OPEN, load_result([1.0] * 140)) == []


def test_errors_of_the_server_do_not_make_a_run_invalid() -> None:
    """A killed server has failed, but the generator has done its part."""
    run = load_result([1.0] * 100, failures={"ECONNREFUSED": 50})
    assert reasons_invalid(CLOSED, run) == []


def late_stages(*late: int) -> LoadResult:
    """Return a run of OPEN in which the answers of these stages are late."""
    began, milliseconds = [], []
    for stage, rate in enumerate(OPEN.rates):
        for number in range(round(rate * OPEN.seconds)):
            began.append(stage * OPEN.seconds + number / rate)
            milliseconds.append(900.0 if stage in late else 2.0)
    return load_result(milliseconds, began=began)


@pytest.mark.parametrize(("late", "expected"), [((), 40), ((2,), 20), ((0,), 0), ((1,), 10)])
def test_the_knee_is_the_highest_rate_before_the_first_late_stage(
    late: tuple[int, ...], expected: float
) -> None:
    """A later stage does not count, even if its answers were on time."""
    assert knee(stages(OPEN, late_stages(*late))) == expected


def test_the_servers_percentile_covers_only_the_run() -> None:
    """Requests that it answered before the run are subtracted."""
    before = Scrape({0.01: 500.0, 0.1: 1000.0, float("inf"): 1000.0}, 0, 0)
    after = Scrape({0.01: 600.0, 0.1: 1100.0, float("inf"): 1100.0}, 0, 0)
    assert quantile_ms(before, after, 0.99) == pytest.approx(9.9)
    assert quantile_ms(before, before, 0.99) is None


def test_changes_for_the_worse_are_found_and_chance_is_not() -> None:
    """Less than a millisecond more is chance; a fifth fewer answers is not."""
    before = {"p95": 1.0, "p99": 10.0, "rate": 100.0, "errors": 0.0, "memory": 50.0}
    after = {"p95": 1.9, "p99": 20.0, "rate": 80.0, "errors": 0.5, "memory": 51.0}
    assert {change.name for change in changes(before, after) if change.is_worse} == {
        "p99",
        "rate",
        "errors",
    }
    assert not any(change.is_worse for change in changes(before, before))
    assert not any(
        change.is_worse
        for change in changes({"p99": 20.0, "rate": 80.0}, {"p99": 10.0, "rate": 99.0})
    )
