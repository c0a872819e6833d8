"""Objectives: what a deployment promises, such as "p95 of student <= 120 ms"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"ms": "ms", "/s": "requests/s", "%": "%", "in 10000": "in 10,000", "": ""}
_PATTERN = re.compile(
    r"(?P<figure>server p\d\d|p\d\d|max|errors|rate|knee|memory growth)"
    r"(?: of (?P<source>teacher|student))?"
    r" (?P<sense><=|>=) (?P<limit>\d+(?:\.\d+)?) ?(?P<unit>ms|/s|%|in 10000)"
)
_UNIT_OF = {"errors": "in 10000", "rate": "/s", "knee": "/s", "memory growth": "%"}


@dataclass(frozen=True)
class Objective:
    """A figure and its limit, of all answers or of one source's."""

    text: str
    figure: str
    source: str
    is_most: bool
    limit: float
    unit: str

    @property
    def name(self) -> str:
        """What is measured, as figures are called: "p95 of student"."""
        return f"{self.figure} of {self.source}" if self.source else self.figure

    def holds(self, measured: float) -> bool:
        """Tell whether what was measured keeps within the limit."""
        return measured <= self.limit if self.is_most else measured >= self.limit

    def margin(self, measured: float) -> float:
        """Return how far the limit is, in shares of it: below zero where it is exceeded."""
        room = self.limit - measured if self.is_most else measured - self.limit
        return room / self.limit if self.limit else room


def read_objective(text: str) -> Objective:
    """Return what a line says; raises ValueError."""
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no objective; write one like "p95 of student <= 120 ms"')
    figure, unit = found["figure"], found["unit"]
    wanted = _UNIT_OF.get(figure, "ms")
    if unit != wanted:
        raise ValueError(f'"{text}": {figure} is told in "{wanted}"')
    if found["source"] and wanted != "ms":
        raise ValueError(f'"{text}": only times are told of one source')
    return Objective(
        text=text,
        figure=figure,
        source=found["source"] or "",
        is_most=found["sense"] == "<=",
        limit=float(found["limit"]),
        unit=_UNITS[unit],
    )
