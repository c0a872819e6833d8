"""Objectives: limits that a deployment must keep, such as "p95 of student <= 120 ms"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PATTERN = re.compile(
    r"(?P<figure>server p\d\d|p\d\d|max|errors|rate|knee|memory growth)"
    r"(?: of (?P<source>teacher|student))?"
    r" (?P<operator><=|>=) (?P<limit>\d+(?:\.\d+)?) ?(?P<unit>ms|/s|%|in 10000)"
)
_UNIT_OF = {"errors": "in 10000", "rate": "/s", "knee": "/s", "memory growth": "%"}


@dataclass(frozen=True)
class Objective:
    """A figure and its limit, for all answers or for the answers of one source."""

    text: str
    figure: str
    source: str
    is_upper_limit: bool
    limit: float

    @property
    def name(self) -> str:
        """The name of the figure in a run's results: "p95 of student"."""
        return f"{self.figure} of {self.source}" if self.source else self.figure

    def holds(self, measured: float) -> bool:
        """Return True if the measured value is within the limit."""
        return measured <= self.limit if self.is_upper_limit else measured >= self.limit

    def margin(self, measured: float) -> float:
        """Return the distance to the limit as a share of the limit, negative if exceeded."""
        distance = self.limit - measured if self.is_upper_limit else measured - self.limit
        return distance / self.limit if self.limit else distance


def read_objective(text: str) -> Objective:
    """Return the objective that a line describes; raises ValueError."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}": not an objective; write one like "p95 of student <= 120 ms"')
    figure, unit = match["figure"], _UNIT_OF.get(match["figure"], "ms")
    if match["unit"] != unit:
        raise ValueError(f'"{text}": wrong unit for {figure}; use "{unit}"')
    if match["source"] and unit != "ms":
        raise ValueError(f'"{text}": {figure} counts all answers; leave out "of {match["source"]}"')
    return Objective(
        text=text,
        figure=figure,
        source=match["source"] or "",
        is_upper_limit=match["operator"] == "<=",
        limit=float(match["limit"]),
    )
