"""What the worker remembers of calls, and how long the store holds them."""

from __future__ import annotations

import pytest

from db.records.record import Record
from enrich.enrichers.http.enricher import Http
from enrich.enrichers.http.outcome import Answered, Failed, Later
from enrich.pipeline import failed_calls
from enrich.pipeline.api_calls import quota_of
from enrich.pipeline.failed_calls import FailedCalls


def record(number: int) -> Record:
    """Return a record with this id."""
    return Record(number, b"key", {}, None, "import")


def test_only_failures_count_and_an_answer_ends_their_row() -> None:
    """A service that cannot answer now says nothing about the configuration."""
    failed = FailedCalls()
    failed.note(
        {"a": Failed("no"), "b": Later("busy", 5), "c": Failed("x\0y")}, {"a": [], "b": [], "c": []}
    )
    assert (failed.in_a_row, failed.last_reason) == (2, "x y")
    failed.note({"d": Answered("1")}, {"d": []})
    assert failed.in_a_row == 0


def test_a_failed_request_is_known_to_other_records_and_made_again_for_its_own() -> None:
    """A record that comes again was released by a person."""
    failed = FailedCalls()
    failed.note({"a": Failed("no")}, {"a": [record(1)]})
    assert failed.reason("a", 2) == "no"
    assert failed.reason("b", 2) == ""
    assert failed.reason("a", 1) == ""
    assert failed.reason("a", 3) == ""


def test_the_memory_of_failed_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten."""
    monkeypatch.setattr(failed_calls, "MOST_REQUESTS", 2)
    failed = FailedCalls()
    for asked in "abc":
        failed.note({asked: Failed(asked)}, {asked: [record(1)]})
    assert [failed.reason(asked, 2) for asked in "abc"] == ["", "b", "c"]


@pytest.mark.parametrize(
    ("pace", "seconds"), [(None, 3 * (10 + 15)), (5, 3 * (10 + 15)), (1 / 60, 3 * (10 + 60))]
)
def test_a_call_is_held_for_as_long_as_its_tries_may_take(
    pace: float | None, seconds: float
) -> None:
    """Another worker would make it again, also while a try waits for its turn."""
    http = Http("http://x.test/", tries=3, timeout_seconds=10, calls_per_second=pace)
    assert quota_of(http, 2, 100.0).hold_seconds == pytest.approx(2 * seconds + 100 + 15)
