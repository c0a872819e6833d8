"""The axes of a chart: numbers with ticks at round values, and times with ticks at whole hours."""

from __future__ import annotations

import math
from dataclasses import dataclass

HOUR, DAY = 3600, 86_400
# 1970-01-01 was a Thursday, and weeks begin on Mondays.
FIRST_MONDAY = 4 * DAY
_TIME_STEPS = (
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 7, 14, 28, 84, 364)),
)


@dataclass(frozen=True)
class NumberAxis:
    """A range of numbers that begins and ends at a tick."""

    bottom: float
    top: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Return how high a value stands: 0 at the bottom, 1 at the top; others are cut off."""
        share = (value - self.bottom) / (self.top - self.bottom)
        return min(max(share, 0.0), 1.0)


@dataclass(frozen=True)
class TimeAxis:
    """A range of Unix times in steps, such as the last 24 hours by hour."""

    start: float
    end: float
    step_seconds: float

    @property
    def is_by_day(self) -> bool:
        """Whether a step is one day or longer, so that the time of day says nothing."""
        return self.step_seconds >= DAY

    def share(self, at: float) -> float:
        """Return how far to the right a time stands: 0 at the start, 1 at the end."""
        return (at - self.start) / (self.end - self.start)

    def contains(self, at: float) -> bool:
        """Return whether a step that begins at this time is shown."""
        return self.start <= at < self.end

    def ticks(self, most: int) -> tuple[list[float], bool]:
        """Return at most `most` + 1 times at whole hours or days, and whether they are days."""
        length = self.end - self.start
        fitting = [step for step in _TIME_STEPS if length / step <= most]
        step = max(fitting[0] if fitting else _TIME_STEPS[-1], DAY if self.is_by_day else HOUR)
        offset = FIRST_MONDAY if step > DAY else 0
        first = math.ceil((self.start - offset) / step)
        last = math.floor((self.end - offset) / step)
        return [offset + step * at for at in range(first, last + 1)], step >= DAY


def number_axis(low: float, high: float, *, most: int = 4, whole: bool = False) -> NumberAxis:
    """Return an axis that shows `low` to `high` with about `most` ticks at round values."""
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = 0.0, 1.0
    if high - low <= 1e-9 * max(abs(low), abs(high), 1.0):
        high = low + max(abs(low), 1.0)
    step = round_step((high - low) / most)
    if whole:
        step = max(step, 1.0)
    # The tolerance keeps 0.3 / 0.1 = 2.9999999999999996 from asking for another tick.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(_rounded(at, step) for at in range(first, last + 1))
    return NumberAxis(ticks[0], ticks[-1], ticks)


def round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= least * 0.999)


def _rounded(at: int, step: float) -> float:
    """Return a multiple of a step without the error of floating point, such as 0.3."""
    return float(f"{at * step:.12g}")
