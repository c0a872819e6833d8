"""A comparison of two runs: what changed, and what became worse."""

from __future__ import annotations

from dataclasses import dataclass

# A change is named a regression from here on: less is what two runs of the same code differ by.
WORSE = 0.15
# And times that are so short differ by more than that for no reason.
LEAST_MS = 1.0
# Of these more is better; of all others less.
MORE_IS_BETTER = {"rate", "knee"}
# What happens to differ between any two runs.
IRRELEVANT = {"asked", "max"}


@dataclass(frozen=True)
class Change:
    """A figure then and now."""

    name: str
    then: float
    now: float

    @property
    def ratio(self) -> float:
        """Now in shares of then; 1 where there was nothing and is nothing."""
        if self.then:
            return self.now / self.then
        return float("inf") if self.now else 1.0

    @property
    def is_worse(self) -> bool:
        """Whether it is worse by more than chance makes it."""
        if self.name in MORE_IS_BETTER:
            return self.now < (1 - WORSE) * self.then
        if self.name in {"errors", "failures"}:
            return self.now > self.then
        if self.name == "memory growth":
            return self.now > self.then + 100 * WORSE
        is_time = self.name.split()[0] in {"p50", "p90", "p95", "p99", "server"}
        beyond_chance = not is_time or self.now - self.then > LEAST_MS
        return beyond_chance and self.now > (1 + WORSE) * self.then


def changes(then: dict[str, float], now: dict[str, float]) -> list[Change]:
    """Return every figure that both runs have."""
    names = [name for name in now if name in then and name.split()[0] not in IRRELEVANT]
    return [Change(name, then[name], now[name]) for name in names]
