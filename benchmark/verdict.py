"""The verdict: whether a run may be believed, and whether what was promised holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .generator import Seen
from .objective import Objective
from .scenario import Scenario

Word = Literal["PASS", "FAIL", "INVALID"]
# 0 where all holds, 1 where something does not, 3 where nobody can say.
EXIT_CODES: dict[Word, int] = {"PASS": 0, "FAIL": 1, "INVALID": 3}

# A generator that is busier than this, or is kept waiting for a core, measures itself.
MOST_BUSY = 0.9
# Of a second in which its loop came late by so much, no time of an answer may be believed.
MOST_LAG_SECONDS = 0.1
LEAST_SENT = 0.99
# Descriptors beyond a connection each: files, pipes, libraries.
OTHER_DESCRIPTORS = 50
# What a machine says that has no more connections to give: of the generator, not of the server.
OUT_OF_CONNECTIONS = {"EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"}


@dataclass(frozen=True)
class Line:
    """An objective and what was measured, None where nothing could be."""

    objective: Objective
    measured: float | None

    @property
    def holds(self) -> bool:
        """Whether it was measured, and within its limit."""
        return self.measured is not None and self.objective.holds(self.measured)


@dataclass(frozen=True)
class Verdict:
    """One word, what it rests on, and why a run may not be believed."""

    word: Word
    lines: tuple[Line, ...]
    doubts: tuple[str, ...]


def judge(objectives: list[Objective], figures: dict[str, float], doubts: list[str]) -> Verdict:
    """Return the verdict on what was measured."""
    lines = tuple(Line(one, figures.get(one.name)) for one in objectives)
    word: Word = "PASS" if all(line.holds for line in lines) else "FAIL"
    return Verdict("INVALID" if doubts else word, lines, tuple(doubts))


def doubts(scenario: Scenario, seen: Seen) -> list[str]:
    """Return why a run tells of the generator rather than of the server."""
    found = [_busy(seen), _late(seen), _unsent(scenario, seen), _absent(scenario, seen)]
    found += [_narrow(scenario, seen), _out_of_connections(seen)]
    return [doubt for doubt in found if doubt]


def _busy(seen: Seen) -> str:
    """Most of the time, whatever it was for a moment."""
    if not len(seen.ticks):
        return "the generator was too slow to look at itself once"
    used, waited = seen.ticks[:, 3].mean(), seen.ticks[:, 4].mean()
    if used + waited <= MOST_BUSY:
        return ""
    return (
        f"the generator used {used:.0%} of a core and waited for one {waited:.0%} of the time"
        f" (together at most {MOST_BUSY:.0%}): give it a core of its own, or ask for less"
    )


def _late(seen: Seen) -> str:
    late = float(np.percentile(seen.ticks[:, 2], 95)) if len(seen.ticks) else 0.0
    if late <= MOST_LAG_SECONDS:
        return ""
    return f"the generator came {late:.2f} s late to what it had to do (at most {MOST_LAG_SECONDS})"


def _unsent(scenario: Scenario, seen: Seen) -> str:
    planned = scenario.planned()
    if not planned or len(seen) >= LEAST_SENT * planned:
        return ""
    return f"{len(seen):,} of {planned:,.0f} requests were sent: the rate was not reached"


def _absent(scenario: Scenario, seen: Seen) -> str:
    most = int(seen.ticks[:, 1].max(initial=0))
    if scenario.is_open or most >= scenario.users:
        return ""
    return (
        f"{most:,} of {scenario.users:,} users came: at {scenario.spawn_rate:g} a second all are"
        f" there after {scenario.users / scenario.spawn_rate:g} s of {scenario.seconds:g}"
    )


def _narrow(scenario: Scenario, seen: Seen) -> str:
    wanted = scenario.users + OTHER_DESCRIPTORS
    if seen.descriptors >= wanted:
        return ""
    return f"the generator may open {seen.descriptors:,} files and wants {wanted:,}: ulimit -n"


def _out_of_connections(seen: Seen) -> str:
    kinds = sorted(OUT_OF_CONNECTIONS & seen.failures.keys())
    if not kinds and not seen.unsent:
        return ""
    number = sum(seen.failures[kind] for kind in kinds) + seen.unsent
    return f"{number:,} requests found no connection on the generator's side: {', '.join(kinds)}"
