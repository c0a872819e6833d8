"""The result of a run, as result.json stores it and as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from benchmark.load.scenario import Scenario
from benchmark.text_table import PartVerdict, VerdictWord
from benchmark.verdict import ObjectiveResult

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


# The keys of the file have not changed, so that runs can be compared with earlier reports.
class Result(
    msgspec.Struct,
    frozen=True,
    rename={"reasons_invalid": "doubts", "environment": "surroundings"},
):
    """The result of a run, as result.json stores it."""

    name: str
    word: VerdictWord
    about: str
    began: str
    scenario: Scenario
    objectives: list[dict[str, Any]]
    reasons_invalid: list[str]
    figures: dict[str, float]
    failures: dict[str, int]
    environment: dict[str, str]
    parts: list[PartVerdict]


def format_figure(name: str, value: float | None) -> str:
    """Return a figure with its unit: "1.9 ms"."""
    if value is None:
        return "not measured"
    base_name = name.split(" of ", maxsplit=1)[0]
    if base_name in _COUNTS:
        return f"{value:,.0f}"
    return f"{_number(value)}{_UNITS.get(base_name, ' ms')}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def describe_objective(result: ObjectiveResult) -> dict[str, Any]:
    """Return an objective with its measured value and margin, for the page and the terminal."""
    measured = result.measured
    margin = "" if measured is None else f"{result.objective.margin(measured):+.0%}"
    return {
        "text": result.objective.text,
        "measured": format_figure(result.objective.name, measured),
        "margin": margin,
        "holds": result.holds,
    }


def read_result(folder: Path) -> Result:
    """Read the result of an earlier run; raises OSError and msgspec.DecodeError."""
    return msgspec.json.decode((folder / RESULT).read_bytes(), type=Result)


def describe_regressions(all_changes: list[Change]) -> str:
    """Return the figures that became worse, in one line."""
    worse = [
        f"{change.name} {format_figure(change.name, change.then)}"
        f" → {format_figure(change.name, change.now)}"
        for change in all_changes
        if change.is_worse
    ]
    return f"worse: {'; '.join(worse)}" if worse else "no regression beyond random variation"
