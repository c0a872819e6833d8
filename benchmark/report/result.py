"""The result of a run: all that it came to, as result.json keeps it, and in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmark.load.scenario import Scenario
from benchmark.text_table import ReportPart, Word
from benchmark.verdict import Line

from .changes import Change

RESULT = "result.json"

_UNITS = {
    "errors": " in 10,000",
    "rate": "/s",
    "knee": "/s",
    "memory": " MiB",
    "memory growth": " %",
}
_COUNTS = {"asked", "failures"}


class Result(msgspec.Struct, frozen=True):
    """All that a run came to, as result.json keeps it."""

    name: str
    word: Word
    about: str
    began: str
    scenario: Scenario
    objectives: list[dict[str, Any]]
    reasons_invalid: list[str]
    figures: dict[str, float]
    failures: dict[str, int]
    describe_environment: dict[str, str]
    parts: list[ReportPart]


def told(name: str, value: float | None) -> str:
    """Return a figure as people read it: "1.9 ms"."""
    if value is None:
        return "not measured"
    first = name.split(" of ", maxsplit=1)[0]
    if first in _COUNTS:
        return f"{value:,.0f}"
    return f"{_number(value)}{_UNITS.get(first, ' ms')}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def describe(line: Line) -> dict[str, Any]:
    """Return an objective with what was measured, for a page or a terminal."""
    measured = line.measured
    margin = "" if measured is None else f"{line.objective.margin(measured):+.0%}"
    return {
        "text": line.objective.text,
        "measured": told(line.objective.name, measured),
        "margin": margin,
        "holds": line.holds,
    }


def read_result(folder: Path) -> Result:
    """Read what an earlier run came to; raises OSError and msgspec's errors."""
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)


def regressions(all_changes: list[Change]) -> str:
    """Return what became worse, in one line."""
    worse = [
        f"{one.name} {told(one.name, one.then)} → {told(one.name, one.now)}"
        for one in all_changes
        if one.is_worse
    ]
    return f"worse: {'; '.join(worse)}" if worse else "nothing is worse beyond what chance makes"
