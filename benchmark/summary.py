"""What a run comes to: the figures that objectives and comparisons are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.load.generator import Floats, Seen
from benchmark.load.plan import SOURCES
from benchmark.load.scenario import Scenario
from benchmark.target.scrape import Scrape, quantile_ms

SHARES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
# Beyond the knee answers come late, or not as fast as they are asked for.
KNEE_P95_MS = 100.0
KNEE_ANSWERED = 0.95
# Growth counts from when what is made once has been made.
SETTLED = 0.1


@dataclass(frozen=True)
class Step:
    """A stage of an open load: what was asked for, and how it was answered."""

    rate: float
    answered_rate: float
    p50: float
    p95: float
    p99: float
    failures: int

    @property
    def is_held(self) -> bool:
        """Whether the server kept up."""
        in_time = self.p95 <= KNEE_P95_MS and not self.failures
        return in_time and self.answered_rate >= KNEE_ANSWERED * self.rate


def summarize(
    scenario: Scenario, seen: Seen, memory: Floats, before: Scrape | None, after: Scrape | None
) -> dict[str, float]:
    """Return all figures by the names that objectives have for them.

    Times are of what was answered: what failed counts as an error, and is not quick.
    """
    found = _times("", seen.milliseconds[seen.good])
    for name in filter(None, SOURCES):
        found |= _times(f" of {name}", seen.milliseconds[seen.source == name])
    failures = int((~seen.good).sum())
    if len(seen):
        found["errors"] = 10_000 * failures / len(seen)
    found |= {"asked": float(len(seen)), "failures": float(failures)}
    found["rate"] = float(seen.good.sum()) / scenario.whole_seconds
    if before is not None and after is not None:
        for share in (0.5, 0.95, 0.99):
            told = quantile_ms(before, after, share)
            if told is not None:
                found[f"server p{100 * share:.0f}"] = told
    if len(scenario.rates) > 1:
        found["knee"] = knee(steps(scenario, seen))
    return found | _memory(memory)


def _times(suffix: str, milliseconds: Floats) -> dict[str, float]:
    if not len(milliseconds):
        return {}
    values = np.percentile(milliseconds, list(SHARES.values()), method="higher")
    return {f"{name}{suffix}": float(one) for name, one in zip(SHARES, values, strict=True)}


def _memory(mebibytes: Floats) -> dict[str, float]:
    if not len(mebibytes):
        return {}
    settled = float(mebibytes[int(SETTLED * len(mebibytes))])
    growth = 100 * (float(mebibytes[-1]) - settled) / settled
    return {"memory growth": growth, "memory": float(mebibytes.max())}


def steps(scenario: Scenario, seen: Seen) -> list[Step]:
    """Return each stage of an open load."""
    return [_step(scenario, seen, number) for number in range(len(scenario.rates))]


def _step(scenario: Scenario, seen: Seen, number: int) -> Step:
    began, seconds = number * scenario.seconds, scenario.seconds
    within = (seen.began_seconds >= began) & (seen.began_seconds < began + seconds)
    good = within & seen.good
    ended = seen.began_seconds[good] + seen.milliseconds[good] / 1000
    times = _times("", seen.milliseconds[good])
    return Step(
        rate=scenario.rates[number],
        # What was still waiting when the stage was over had not kept up.
        answered_rate=float((ended <= began + seconds + KNEE_P95_MS / 1000).sum()) / seconds,
        p50=times.get("p50", 0.0),
        p95=times.get("p95", 0.0),
        p99=times.get("p99", 0.0),
        failures=int((within & ~seen.good).sum()),
    )


def knee(all_steps: list[Step]) -> float:
    """Return the highest rate that was held, with all below it; 0 where none was."""
    held = 0.0
    for step in sorted(all_steps, key=lambda one: one.rate):
        if not step.is_held:
            return held
        held = step.rate
    return held
