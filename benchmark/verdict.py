"""The verdict on a run: whether its measurements are valid, and whether its objectives are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.load.generator import LoadResult
from benchmark.load.scenario import Scenario

from .objective import Objective
from .text_table import PartVerdict, VerdictWord

EXIT_CODES: dict[VerdictWord, int] = {"PASS": 0, "FAIL": 1, "INVALID": 3}

# A generator that uses or waits for more than this share of a core measures itself.
MAX_BUSY = 0.9
# The slowest twentieth of the requests decides a p95: at most this share may be sent while busy.
MAX_SENT_BUSY = 0.05
# In a second in which the generator's loop was later than this, its times are wrong.
MAX_LAG_SECONDS = 0.1
MIN_SENT = 0.99
# File descriptors that are not connections: files, pipes, libraries.
OTHER_DESCRIPTORS = 50
# Errors of a machine that can open no more connections: the generator's limit, not the server's.
OUT_OF_CONNECTIONS = {"EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"}


@dataclass(frozen=True)
class ObjectiveResult:
    """An objective and the measured value, None if there were no measurements."""

    objective: Objective
    measured: float | None

    @property
    def holds(self) -> bool:
        """Whether a value was measured and is within the limit."""
        return self.measured is not None and self.objective.holds(self.measured)


@dataclass(frozen=True)
class RunVerdict:
    """PASS, FAIL or INVALID, and the result of each objective."""

    word: VerdictWord
    results: tuple[ObjectiveResult, ...]


def reach_verdict(
    objectives: list[Objective],
    figures: dict[str, float],
    reasons_invalid: Sequence[str] = (),
    parts: Sequence[PartVerdict] = (),
) -> RunVerdict:
    """Return the verdict on a run; a part that fails makes it FAIL even if the load is invalid."""
    results = tuple(
        ObjectiveResult(objective, figures.get(objective.name)) for objective in objectives
    )
    if any(part.word == "FAIL" for part in parts):
        return RunVerdict("FAIL", results)
    if reasons_invalid:
        return RunVerdict("INVALID", results)
    return RunVerdict("PASS" if all(result.holds for result in results) else "FAIL", results)


def reasons_invalid(scenario: Scenario, load: LoadResult) -> list[str]:
    """Return the reasons why a run measured the generator rather than the server."""
    reasons = [
        _busy_generator(load),
        _late_generator(load),
        _unsent_requests(scenario, load),
        _missing_users(scenario, load),
        _low_file_limit(scenario, load),
        _out_of_connections(load),
    ]
    return [reason for reason in reasons if reason]


def _busy_generator(load: LoadResult) -> str:
    """Count requests, not seconds: while a load ramps up, most seconds send few requests."""
    if not len(load.ticks):
        return "the generator was too slow to record a single second; give it a core of its own"
    is_busy = load.ticks[:, 3] + load.ticks[:, 4] > MAX_BUSY
    share = is_busy[_second_of_each(load)].mean() if len(load) else is_busy.mean()
    if share <= MAX_SENT_BUSY:
        return ""
    return (
        f"{share:.0%} of the requests were sent while the generator used or waited for more than"
        f" {MAX_BUSY:.0%} of a core (at most {MAX_SENT_BUSY:.0%} may be); give it a core of its"
        " own, or lower the load"
    )


def _second_of_each(load: LoadResult) -> NDArray[np.int64]:
    """Return the index of the tick during which each request was sent."""
    indices = np.searchsorted(load.ticks[:, 0], load.began_seconds)
    return np.minimum(indices, len(load.ticks) - 1)


def _late_generator(load: LoadResult) -> str:
    lag = float(np.percentile(load.ticks[:, 2], 95)) if len(load.ticks) else 0.0
    if lag <= MAX_LAG_SECONDS:
        return ""
    return (
        f"the generator's event loop was {lag:.2f} s late (at most {MAX_LAG_SECONDS} s); give it"
        " a core of its own, or lower the load"
    )


def _unsent_requests(scenario: Scenario, load: LoadResult) -> str:
    planned = scenario.planned()
    if not planned or len(load) >= MIN_SENT * planned:
        return ""
    return f"only {len(load):,} of {planned:,.0f} requests were sent: the rate was not reached"


def _missing_users(scenario: Scenario, load: LoadResult) -> str:
    started = int(load.ticks[:, 1].max(initial=0))
    if scenario.is_open or started >= scenario.users:
        return ""
    return (
        f"only {started:,} of {scenario.users:,} users were started: at {scenario.spawn_rate:g}"
        f" per second this takes {scenario.users / scenario.spawn_rate:g} s,"
        f" and the run took {scenario.seconds:g} s"
    )


def _low_file_limit(scenario: Scenario, load: LoadResult) -> str:
    needed = scenario.users + OTHER_DESCRIPTORS
    if load.descriptors >= needed:
        return ""
    return (
        f"the generator may open only {load.descriptors:,} files and needs {needed:,};"
        " raise the limit with ulimit -n"
    )


def _out_of_connections(load: LoadResult) -> str:
    kinds = sorted(OUT_OF_CONNECTIONS & load.failures.keys())
    if not kinds and not load.unsent:
        return ""
    number = sum(load.failures[kind] for kind in kinds) + load.unsent
    names = f": {', '.join(kinds)}" if kinds else ""
    return f"{number:,} requests were not sent, for want of connections on the generator{names}"
