"""The comparison of two runs: changed figures and regressions."""

from __future__ import annotations

from dataclasses import dataclass

# A larger change is a regression; two runs of the same code differ by less.
WORSE = 0.15
# Shorter times vary by more than that without a cause.
MIN_MS = 1.0
# For all other figures less is better.
MORE_IS_BETTER = {"rate", "knee"}
# Figures that differ between any two runs.
IRRELEVANT = {"asked", "max"}


@dataclass(frozen=True)
class Change:
    """A figure in an earlier run and in this one."""

    name: str
    then: float
    now: float

    @property
    def ratio(self) -> float:
        """The value now divided by the value then; 1 if both are 0."""
        if self.then:
            return self.now / self.then
        return float("inf") if self.now else 1.0

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than two runs differ by chance."""
        if self.name in MORE_IS_BETTER:
            return self.now < (1 - WORSE) * self.then
        if self.name in {"errors", "failures"}:
            return self.now > self.then
        if self.name == "memory growth":
            return self.now > self.then + 100 * WORSE
        is_time = self.name.split()[0] in {"p50", "p90", "p95", "p99", "server"}
        is_beyond_chance = not is_time or self.now - self.then > MIN_MS
        return is_beyond_chance and self.now > (1 + WORSE) * self.then


def changes(then: dict[str, float], now: dict[str, float]) -> list[Change]:
    """Return the change of every relevant figure that both runs have."""
    names = [name for name in now if name in then and name.split()[0] not in IRRELEVANT]
    return [Change(name, then[name], now[name]) for name in names]
