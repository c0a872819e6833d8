"""A chart over time as SVG, with axes, units, and a title that shows when a mark is pointed at.

Positions are in percent, and its text keeps its size, so that it can be read at any width. Its
colours and its height come from classes in page.css.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from serve.pages.formatting import count, number, percent, usual_decimals
from serve.pages.language.translation import gettext as _
from serve.pages.time_text import day_text, hour_text, machine_time, time_tag, utc_text

from .axis import DAY, NumberAxis, TimeAxis, number_axis

# The size of the drawing inside the axes, which is stretched to the room that it has.
STEP_WIDTH, HEIGHT = 10, 500
BAR_WIDTH = 8
# Smaller shares have a decimal.
WITHOUT_DECIMALS = 0.1
MOST_TIME_TICKS, MOST_NARROW_TIME_TICKS, MOST_SMALL_TIME_TICKS = 7, 4, 4


@dataclass(frozen=True)
class Series:
    """Values by the beginning of their step, as Unix time; a step without a value is a gap.

    Bars are stacked in the order of the series; `color` is a class of page.css.
    """

    name: str
    kind: Literal["bar", "line"]
    points: Sequence[tuple[float, float]]
    color: str = "student"


@dataclass(frozen=True)
class Reference:
    """A horizontal line to compare with; `kind` is "expected" or "alert"."""

    name: str
    value: float
    kind: Literal["expected", "alert"] = "expected"


@dataclass(frozen=True)
class Chart:
    """A chart of series over time; values of `is_share` are from 0 to 1 and shown in percent.

    An axis without `from_zero` shows only the range of the values, which suits lines alone.
    """

    title: str
    times: TimeAxis
    series: Sequence[Series]
    unit: str = ""
    references: Sequence[Reference] = ()
    is_share: bool = False
    is_whole: bool = False
    from_zero: bool = True
    is_small: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is no value to show."""
        return not any(True for _at in self.rows())

    def rows(self) -> Iterator[tuple[float, list[float | None]]]:
        """Yield each step that has a value, with the value of each series."""
        by_series = [dict(series.points) for series in self.series]
        for at in sorted(set().union(*by_series)):
            if self.times.contains(at):
                yield at, [points.get(at) for points in by_series]

    def text(self, value: float | None) -> str:
        """Return a value as the chart writes it."""
        if value is None:
            return "–"
        if self.is_share:
            return percent(value, 0 if value in {0, 1} or value >= WITHOUT_DECIMALS else 1)
        if self.is_whole:
            return count(round(value))
        return number(value, min(usual_decimals(value), 3))

    def step_text(self, at: float) -> str:
        """Return the time of a step in UTC: its day, or its hour."""
        return day_text(at) if self.times.is_by_day else utc_text(at)

    @property
    def step_name(self) -> str:
        """The heading of the column of steps in a table."""
        if not self.times.is_by_day:
            return _("Hour")
        return _("Day (UTC)") if self.times.step_seconds == DAY else _("From (UTC)")

    def step_tag(self, at: float) -> str:
        """Return the time of a step as HTML, which page.js can rewrite unless it is a day."""
        return day_text(at) if self.times.is_by_day else time_tag(at)


def chart_svg(chart: Chart) -> str:
    """Return the chart as an SVG image with its title and range as text for screen readers."""
    axis = _number_axis(chart)
    parts = [
        *_number_ticks(chart, axis),
        *_time_ticks(chart),
        f'<svg viewBox="0 0 {_width(chart.times)} {HEIGHT}" preserveAspectRatio="none">',
        *_lines(chart, axis),
        *_columns(chart, axis),
        "</svg>",
        *(_reference(chart, axis, reference) for reference in chart.references),
    ]
    size = "chart small" if chart.is_small else "chart"
    label = escape(_summary(chart))
    return f'<svg class="{size}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _summary(chart: Chart) -> str:
    """Return the title and the range of the values, of all bars of a step together."""
    heights = [height for _at, values in chart.rows() for height in _heights(chart, values)]
    if not heights:
        return _("{title}: no values yet").format(title=chart.title)
    low, high = chart.text(min(heights)), chart.text(max(heights))
    text = _("{title}: from {low} to {high} {unit}")
    unit = "" if chart.is_share else chart.unit
    return text.format(title=chart.title, low=low, high=high, unit=unit).strip()


def _heights(chart: Chart, values: Sequence[float | None]) -> list[float]:
    """Return the heights of a step's marks: the sum of its bars, and each of its lines."""
    pairs = list(zip(chart.series, values, strict=True))
    bars = [value for series, value in pairs if series.kind == "bar" and value is not None]
    lines = [value for series, value in pairs if series.kind == "line" and value is not None]
    return [*([sum(bars)] if bars else []), *lines]


def _number_axis(chart: Chart) -> NumberAxis:
    heights = [height for _at, values in chart.rows() for height in _heights(chart, values)]
    heights += [reference.value for reference in chart.references] if heights else []
    low = min(heights, default=0.0)
    high = max(heights, default=1.0)
    most = 2 if chart.is_small else 4
    axis = number_axis(
        min(low, 0.0) if chart.from_zero else low, high, most=most, whole=chart.is_whole
    )
    # No share is above 100 %.
    return number_axis(axis.bottom, 1.0, most=most) if chart.is_share and axis.top > 1 else axis


def _number_ticks(chart: Chart, axis: NumberAxis) -> Iterator[str]:
    for tick in axis.ticks:
        y = _percent(1 - axis.share(tick))
        yield f'<line class="grid" x2="100%" y1="{y}" y2="{y}"/>'
        yield f'<text class="y" x="-6" y="{y}" dy=".32em">{escape(_tick_text(chart, tick))}</text>'
    if chart.unit and not chart.is_share:
        yield f'<text class="unit" y="-10">{escape(chart.unit)}</text>'


def _tick_text(chart: Chart, tick: float) -> str:
    if chart.is_share:
        return percent(tick, 0 if round(100 * tick, 6).is_integer() else 1)
    decimals = len(f"{tick:.6f}".rstrip("0").partition(".")[2])
    return number(tick, decimals)


def _time_ticks(chart: Chart) -> Iterator[str]:
    """Yield the ticks of the time axis; hours can be rewritten, while days are those of UTC."""
    most = MOST_SMALL_TIME_TICKS if chart.is_small else MOST_TIME_TICKS
    ticks, are_days = chart.times.ticks(most)
    for position, at in enumerate(ticks):
        x = _percent(chart.times.share(at))
        time = "" if are_days else f' data-time="{machine_time(at)}"'
        text = escape(day_text(at) if are_days else hour_text(at))
        # A narrow screen has room for every other one.
        kind = "x other" if position % 2 and len(ticks) > MOST_NARROW_TIME_TICKS else "x"
        yield f'<text class="{kind}" x="{x}" y="100%" dy="1.5em"{time}>{text}</text>'


def _reference(chart: Chart, axis: NumberAxis, reference: Reference) -> str:
    y = _percent(1 - axis.share(reference.value))
    title = escape(f"{reference.name}: {chart.text(reference.value)}")
    line = f'<line class="reference {reference.kind}" x2="100%" y1="{y}" y2="{y}"/>'
    return f"<g><title>{title}</title>{line}</g>"


def _width(times: TimeAxis) -> int:
    return round((times.end - times.start) / times.step_seconds * STEP_WIDTH)


def _lines(chart: Chart, axis: NumberAxis) -> Iterator[str]:
    for series in chart.series:
        if series.kind == "line":
            runs = list(_runs(chart.times, series.points))
            color = escape(series.color)
            yield f'<path class="line {color}" d="{_path(chart, axis, runs)}"/>'
            if dots := [run for run in runs if len(run) == 1]:
                yield f'<path class="line dots {color}" d="{_path(chart, axis, dots)}"/>'


def _runs(
    times: TimeAxis, points: Sequence[tuple[float, float]]
) -> Iterator[list[tuple[float, float]]]:
    """Yield the values of successive steps together: between them, the line is broken."""
    run: list[tuple[float, float]] = []
    for at, value in sorted(point for point in points if times.contains(point[0])):
        if run and at - run[-1][0] > 1.5 * times.step_seconds:
            yield run
            run = []
        run.append((at, value))
    if run:
        yield run


def _path(chart: Chart, axis: NumberAxis, runs: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Return a path through each run; a line of length 0 is drawn as a dot."""
    width, middle = _width(chart.times), chart.times.step_seconds / 2
    return "".join(
        "M"
        + "L".join(
            f"{width * chart.times.share(at + middle):.0f} {_y(axis, value)}" for at, value in run
        )
        + ("h0" if len(run) == 1 else "")
        for run in runs
    )


def _columns(chart: Chart, axis: NumberAxis) -> Iterator[str]:
    """Yield the bars of each step under a title; the whole height of the chart shows the title."""
    for at, values in chart.rows():
        x = round(_width(chart.times) * chart.times.share(at))
        bars = "".join(_bars(chart, axis, values, x))
        hit = f'<path d="M{x} 0v{HEIGHT}h{STEP_WIDTH}V0"/>'
        yield f"<g>{_title(chart, at, values)}{hit}{bars}</g>"


def _bars(chart: Chart, axis: NumberAxis, values: Sequence[float | None], x: int) -> Iterator[str]:
    left = x + (STEP_WIDTH - BAR_WIDTH) // 2
    total = 0.0
    for series, value in zip(chart.series, values, strict=True):
        if series.kind == "bar" and value:
            bottom = _y(axis, total)
            total += value
            # A bar of a few answers among thousands is still a line.
            top = min(_y(axis, total), bottom - 1)
            shape = f"M{left} {bottom}V{top}h{BAR_WIDTH}V{bottom}"
            yield f'<path class="{escape(series.color)}" d="{shape}"/>'


def _title(chart: Chart, at: float, values: Sequence[float | None]) -> str:
    """Return the title of a step: its time on the first line, then a line for each value."""
    named = zip(chart.series, values, strict=True)
    shown = [(series.name, chart.text(value)) for series, value in named if value is not None]
    is_single = len(chart.series) == 1
    lines = [text if is_single else f"{name}: {text}" for name, text in shown]
    return f"<title>{escape(chr(10).join([chart.step_text(at), *lines]))}</title>"


def _y(axis: NumberAxis, value: float) -> int:
    return round(HEIGHT * (1 - axis.share(value)))


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"
