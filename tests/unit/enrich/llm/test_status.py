"""What `enrich status` says of the calls of a language model."""

from __future__ import annotations

from typing import Any

import pytest

from enrich.commands.status import format_status


def line_of(calls: int, tokens: dict[str, dict[str, Any]]) -> str:
    """Return the line about the enricher `judged`."""
    dataset: dict[str, Any] = {
        "name": "notes",
        "model": None,
        "records": 0,
        "enriched": {},
        "stale": 0,
    }
    counts = {"calls": {"judged": calls}, "tokens": tokens, "quarantined": 0}
    report = {
        "datasets": [{**dataset, **counts}],
        "failures": [],
        "faults": [],
        "paused_at": None,
        "workers": [],
        "now": 0.0,
    }
    [line] = [line for line in format_status(report) if "judged" in line]
    return " ".join(line.split())


@pytest.mark.parametrize(
    ("calls", "tokens", "line"),
    [
        (5, None, "judged 5 calls"),
        (
            34,
            {"prompt": 6789, "answer": 12, "cost": 1.23456},
            "judged 34 calls, 6,789 prompt tokens, 12 answer tokens, cost 1.2346",
        ),
        (
            2,
            {"prompt": 10, "answer": 0, "cost": None},
            "judged 2 calls, 10 prompt tokens, 0 answer tokens",
        ),
        (
            2,
            {"prompt": 0, "answer": 0, "cost": 0.0},
            "judged 2 calls (the service reports no tokens)",
        ),
        (
            0,
            {"prompt": 0, "answer": 0, "cost": 0.0},
            "judged 0 calls, 0 prompt tokens, 0 answer tokens, cost 0.0000",
        ),
    ],
)
def test_the_status_shows_calls_tokens_and_cost(
    calls: int, tokens: dict[str, Any] | None, line: str
) -> None:
    """Tokens that a service does not report are not shown as zero, nor is their cost."""
    assert line_of(calls, {"judged": tokens} if tokens else {}) == f"{line} in this budget period"
