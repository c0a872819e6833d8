"""The spans of time that a page can show, and the steps of their charts."""

from __future__ import annotations

from dataclasses import dataclass

from db.errors import InputError
from serve.pages.language.translation import mark

from .axis import DAY, HOUR, TimeAxis

DAY_HOURS = 24


@dataclass(frozen=True)
class Span:
    """A span with the steps of its charts, in hours; the store sums the counts by `row_hours`.

    `windows` are the hours over which drift is measured, each at the end of a step.
    """

    name: str
    title: str
    hours: int
    row_hours: int
    share_hours: int
    drift_hours: int
    windows: tuple[int, ...]
    # The table has fewer rows than the chart has steps, so that the page stays small.
    table_hours: int

    def times(self, now: float, step_hours: int) -> TimeAxis:
        """Return the axis whose last step has not ended; steps end at whole hours, or days."""
        step = step_hours * HOUR
        unit = min(step, DAY)
        end = (int(now) // unit + 1) * unit
        steps = -(-self.hours // step_hours)
        return TimeAxis(end - steps * step, end, step)

    def first_hour(self, now: float) -> int:
        """Return the first hour, counted from 1970, that a chart needs."""
        starts = [self.times(now, step).start for step in (self.share_hours, self.drift_hours)]
        return int(min(starts)) // HOUR - max(self.windows)


SPANS = (
    Span("24h", mark("24 hours"), 24, 1, 2, 1, (1, 6, 24), 1),
    Span("7d", mark("7 days"), 7 * DAY_HOURS, 1, 12, 6, (6, 24), DAY_HOURS),
    Span("90d", mark("90 days"), 90 * DAY_HOURS, 24, 7 * DAY_HOURS, 24, (24,), 7 * DAY_HOURS),
)


def find_span(name: str) -> Span:
    """Return the span of this name, the shortest one for ""; raises InputError."""
    for span in SPANS:
        if span.name == (name or SPANS[0].name):
            return span
    names = ", ".join(span.name for span in SPANS)
    raise InputError("span", f"there is no span {name!r}; there are: {names}")
