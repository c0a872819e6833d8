"""The figures of a run, which objectives limit and reports compare."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.load.generator import Floats, LoadResult
from benchmark.load.run_plan import SOURCES
from benchmark.load.scenario import Scenario
from benchmark.target.scrape import Scrape, quantile_ms

PERCENTILES = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}
# Above the knee, answers take longer than this or come at less than this share of the rate.
KNEE_P95_MS = 100.0
KNEE_ANSWERED = 0.95
# Memory growth counts after this share of the run, when caches and threads have been created.
SETTLED = 0.1


@dataclass(frozen=True)
class Stage:
    """The figures of one stage of an open load."""

    rate: float
    answered_rate: float
    p50: float
    p95: float
    p99: float
    failures: int

    @property
    def is_held(self) -> bool:
        """Whether the server kept up with the rate."""
        in_time = self.p95 <= KNEE_P95_MS and not self.failures
        return in_time and self.answered_rate >= KNEE_ANSWERED * self.rate


def summarize(
    scenario: Scenario,
    load: LoadResult,
    memory: Floats,
    before: Scrape | None,
    after: Scrape | None,
) -> dict[str, float]:
    """Return all figures under the names that objectives use.

    Times are those of good answers only: a failure counts as an error, not as a quick answer.
    """
    figures = _times("", load.milliseconds[load.good])
    for name in filter(None, SOURCES):
        figures |= _times(f" of {name}", load.milliseconds[load.source == name])
    failures = int((~load.good).sum())
    if len(load):
        figures["errors"] = 10_000 * failures / len(load)
    figures |= {"asked": float(len(load)), "failures": float(failures)}
    figures["rate"] = float(load.good.sum()) / scenario.whole_seconds
    if before is not None and after is not None:
        for share in (0.5, 0.95, 0.99):
            milliseconds = quantile_ms(before, after, share)
            if milliseconds is not None:
                figures[f"server p{100 * share:.0f}"] = milliseconds
    if len(scenario.rates) > 1:
        figures["knee"] = knee(stages(scenario, load))
    return figures | _memory(memory)


def _times(suffix: str, milliseconds: Floats) -> dict[str, float]:
    if not len(milliseconds):
        return {}
    return {
        f"{name}{suffix}": time_percentile(milliseconds, share)
        for name, share in PERCENTILES.items()
    }


def time_percentile(milliseconds: Floats, share: float) -> float:
    """Return the least of the times that `share` percent of them do not exceed.

    It is a time that was measured, as figures and charts both show it; nothing is interpolated.
    """
    return float(np.percentile(milliseconds, share, method="higher"))


def _memory(mebibytes: Floats) -> dict[str, float]:
    if not len(mebibytes):
        return {}
    settled = float(mebibytes[int(SETTLED * len(mebibytes))])
    growth = 100 * (float(mebibytes[-1]) - settled) / settled
    return {"memory growth": growth, "memory": float(mebibytes.max())}


def stages(scenario: Scenario, load: LoadResult) -> list[Stage]:
    """Return the figures of each stage of an open load."""
    return [_stage(scenario, load, number) for number in range(len(scenario.rates))]


def _stage(scenario: Scenario, load: LoadResult, number: int) -> Stage:
    began, seconds = number * scenario.seconds, scenario.seconds
    within = (load.began_seconds >= began) & (load.began_seconds < began + seconds)
    good = within & load.good
    ended = load.began_seconds[good] + load.milliseconds[good] / 1000
    times = _times("", load.milliseconds[good])
    return Stage(
        rate=scenario.rates[number],
        # Answers that were still due at the end of the stage show that the server fell behind.
        answered_rate=float((ended <= began + seconds + KNEE_P95_MS / 1000).sum()) / seconds,
        p50=times.get("p50", 0.0),
        p95=times.get("p95", 0.0),
        p99=times.get("p99", 0.0),
        failures=int((within & ~load.good).sum()),
    )


def knee(all_stages: list[Stage]) -> float:
    """Return the highest rate that was held together with all lower rates; 0 if there is none."""
    held = 0.0
    for stage in sorted(all_stages, key=lambda stage: stage.rate):
        if not stage.is_held:
            return held
        held = stage.rate
    return held
