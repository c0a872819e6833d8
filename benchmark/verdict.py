"""The verdict: whether a run may be believed, and whether what was promised holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.load.generator import Seen
from benchmark.load.scenario import Scenario

from .objective import Objective
from .text_table import ReportPart, Word

# 0 where all holds, 1 where something does not, 3 where nobody can say.
EXIT_CODES: dict[Word, int] = {"PASS": 0, "FAIL": 1, "INVALID": 3}

# A generator that is busier than this, or is kept waiting for a core, measures itself.
MOST_BUSY = 0.9
# A p95 rests on those that were slowest: it is another one's once a twentieth is.
MOST_SENT_BUSY = 0.05
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
class RunVerdict:
    """One word, and what it rests on."""

    word: Word
    lines: tuple[Line, ...]


def reach_verdict(
    objectives: list[Objective],
    figures: dict[str, float],
    reasons_invalid: Sequence[str] = (),
    parts: Sequence[ReportPart] = (),
) -> RunVerdict:
    """Return the verdict on what was measured; a part that fails does, whatever was asked for."""
    lines = tuple(Line(one, figures.get(one.name)) for one in objectives)
    if any(part.word == "FAIL" for part in parts):
        return RunVerdict("FAIL", lines)
    if reasons_invalid:
        return RunVerdict("INVALID", lines)
    return RunVerdict("PASS" if all(line.holds for line in lines) else "FAIL", lines)


def reasons_invalid(scenario: Scenario, seen: Seen) -> list[str]:
    """Return why a run tells of the generator rather than of the server."""
    found = [_busy(seen), _late(seen), _unsent(scenario, seen), _absent(scenario, seen)]
    found += [_narrow(scenario, seen), _out_of_connections(seen)]
    return [doubt for doubt in found if doubt]


def _busy(seen: Seen) -> str:
    """Of the requests, not of the seconds: a load that rises is quiet at first and asks little."""
    if not len(seen.ticks):
        return "the generator was too slow to look at itself once"
    is_busy = seen.ticks[:, 3] + seen.ticks[:, 4] > MOST_BUSY
    share = is_busy[_second_of_each(seen)].mean() if len(seen) else is_busy.mean()
    if share <= MOST_SENT_BUSY:
        return ""
    return (
        f"{share:.0%} of the requests were sent while the generator used or waited for more than"
        f" {MOST_BUSY:.0%} of a core (at most {MOST_SENT_BUSY:.0%}): give it one of its own, or ask"
        " for less"
    )


def _second_of_each(seen: Seen) -> NDArray[np.int64]:
    """Return in which of the generator's seconds each request was sent."""
    found = np.searchsorted(seen.ticks[:, 0], seen.began_seconds)
    return np.minimum(found, len(seen.ticks) - 1)


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
