"""What the worker remembers of calls, and how long the store holds them."""

from __future__ import annotations

import pytest

from db.records.record import Record
from enrich.enrichers.http.circuit_breaker import (
    FEWEST_ALIKE,
    MOST_ALIKE,
    MOST_CALLS,
    CircuitBreaker,
    enough_alike,
)
from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.outcome import Failed
from enrich.enrichers.http.service import quota_of
from enrich.pipeline import failed_calls
from enrich.pipeline.failed_calls import FailedCalls


def record(number: int) -> Record:
    """Return a record with this id."""
    return Record(number, b"key", {}, None, "import")


def test_a_failed_request_is_known_to_other_records_and_made_again_for_its_own() -> None:
    """A record that comes again was released by a person."""
    failed = FailedCalls()
    failed.remember("a", Failed("n\0o"), [record(1)])
    assert failed.reason("a", 2) == "n o"
    assert failed.reason("b", 2) == ""
    assert failed.reason("a", 1) == ""
    assert failed.reason("a", 3) == ""


def test_the_memory_of_failed_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten."""
    monkeypatch.setattr(failed_calls, "MOST_REQUESTS", 2)
    failed = FailedCalls()
    for asked in "abc":
        failed.remember(asked, Failed(asked), [record(1)])
    assert [failed.reason(asked, 2) for asked in "abc"] == ["", "b", "c"]


def test_failures_of_the_service_are_forgotten_when_the_circuit_opens() -> None:
    """Their calls are made again once it closes."""
    failed = FailedCalls()
    for asked in "ab":
        failed.remember(asked, Failed("404"), [record(1)])
    failed.breaker.fail("b", "404")
    failed.breaker.charge([7])
    assert failed.open_circuit() == [7]
    assert [failed.reason(asked, 2) for asked in "ab"] == ["404", ""]


@pytest.mark.parametrize(
    ("answered", "failed", "enough"),
    [
        (0, 0, FEWEST_ALIKE),
        (0, 100, FEWEST_ALIKE),
        (1, 0, 9),
        (1000, 0, FEWEST_ALIKE),
        (200, 800, 42),
        (1, 10**6, MOST_ALIKE),
    ],
)
def test_a_service_that_often_fails_needs_more_failures_in_a_row(
    answered: int, failed: int, enough: int
) -> None:
    """So many in a row would be chance once in ten thousand times."""
    assert enough_alike(answered, failed) == enough


def fail_alike(breaker: CircuitBreaker, count: int, kind: str = "404") -> None:
    """Let that many different requests fail alike."""
    for number in range(count):
        breaker.fail(f"{kind} {number}", kind)


def test_failures_alike_without_an_answer_are_those_of_the_service() -> None:
    """The same request, and failures of other kinds, count apart."""
    breaker = CircuitBreaker()
    fail_alike(breaker, FEWEST_ALIKE - 1)
    fail_alike(breaker, FEWEST_ALIKE - 1)
    fail_alike(breaker, FEWEST_ALIKE - 1, "422")
    assert not breaker.is_at_fault
    breaker.fail("another", "404")
    assert breaker.is_at_fault


def test_an_answer_makes_the_failures_before_it_those_of_their_records() -> None:
    """They count as failed, and are not taken back later."""
    breaker = CircuitBreaker()
    fail_alike(breaker, FEWEST_ALIKE - 1)
    breaker.charge([1])
    breaker.succeed()
    fail_alike(breaker, FEWEST_ALIKE)
    assert not breaker.is_at_fault
    assert breaker.open() == []


def test_an_open_circuit_lets_one_call_through_and_an_answer_closes_it() -> None:
    """One more failure of any kind is enough to stop again."""
    breaker = CircuitBreaker()
    assert breaker.most_calls(100) == FEWEST_ALIKE
    fail_alike(breaker, FEWEST_ALIKE)
    breaker.open()
    assert breaker.most_calls(100) == 1
    breaker.fail("x", "another kind")
    assert breaker.is_at_fault
    assert breaker.open() == []
    breaker.succeed()
    assert breaker.most_calls(100) == MOST_CALLS
    fail_alike(breaker, 1)
    assert breaker.failures == 1
    assert breaker.most_calls(100) == FEWEST_ALIKE


@pytest.mark.parametrize(
    ("pace", "seconds"), [(None, 3 * (10 + 15)), (5, 3 * (10 + 15)), (1 / 60, 3 * (10 + 60))]
)
def test_a_call_is_held_for_as_long_as_its_tries_may_take(
    pace: float | None, seconds: float
) -> None:
    """Another worker would make it again, also while a try waits for its turn."""
    http = Http("http://x.test/", tries=3, timeout_seconds=10, calls_per_second=pace)
    assert quota_of(http, 2, 100.0).hold_seconds == pytest.approx(2 * seconds + 100 + 15)
