"""The charts of the predictions served: answers by source, shares by prediction, and drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from db.traffic.counted_answers import AnswerCount
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark, ngettext
from serve.telemetry.drift import FEWEST_ANSWERS, LARGE, MODERATE, Counts, compare

from .axis import HOUR, TimeAxis
from .chart import Chart, Reference, Series

# Predictions beyond these are summed, so that the page stays an overview.
MOST_SHARES = 12
_SOURCES = {"teacher": mark("teacher"), "student": mark("student")}
_WINDOW_COLORS = {1: "rest", 6: "teacher", 24: "student"}


@dataclass(frozen=True)
class PredictionShare:
    """How often a prediction was given in training and is given now; `names` may be several."""

    title: str
    names: frozenset[str]
    trained: float | None
    answers: int
    served: float


def answers_chart(rows: Iterable[AnswerCount], times: TimeAxis) -> Chart:
    """Return the answers by step, stacked by source."""
    by_source: dict[str, Counter[float]] = {source: Counter() for source in _SOURCES}
    for row in rows:
        by_source.setdefault(row.source, Counter())[_step(times, row)] += row.answers
    series = [
        Series(_(_SOURCES.get(source, source)), "bar", sorted(points.items()), source)
        for source, points in by_source.items()
    ]
    title = _("Answers by day") if times.is_by_day else _("Answers by hour")
    return Chart(title, times, series, _("answers"), is_whole=True)


def _step(times: TimeAxis, row: AnswerCount) -> float:
    """Return the beginning of the step that a row is in."""
    offset = (row.hour * HOUR - times.start) // times.step_seconds
    return times.start + offset * times.step_seconds


def prediction_shares(before: Counts, now: Counts) -> list[PredictionShare]:
    """Return the share of each prediction, the most frequent first; of rare ones the sum."""
    names = sorted(before.keys() | now.keys(), key=lambda it: (-_weight(before, now, it), it))
    kept = names if len(names) <= MOST_SHARES else names[: MOST_SHARES - 1]
    rest = names[len(kept) :]
    shares = [_share(before, now, name, [name]) for name in _in_order(kept)]
    if rest:
        title = ngettext("{count} other prediction", "{count} other predictions", len(rest))
        shares.append(_share(before, now, title.format(count=len(rest)), rest))
    return shares


def _in_order(names: Sequence[str]) -> Sequence[str]:
    """Return the names in their order, or by size if they are numbers."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return names


def _weight(before: Counts, now: Counts, name: str) -> float:
    return sum(
        counts.get(name, 0) / sum(counts.values()) for counts in (before, now) if name in counts
    )


def _share(before: Counts, now: Counts, title: str, names: Sequence[str]) -> PredictionShare:
    trained, served = (sum(counts.get(it, 0) for it in names) for counts in (before, now))
    total = sum(before.values())
    return PredictionShare(
        title,
        frozenset(names),
        trained / total if total else None,
        served,
        served / max(sum(now.values()), 1),
    )


def share_charts(
    rows: Sequence[AnswerCount], shares: Iterable[PredictionShare], times: TimeAxis
) -> Iterator[Chart]:
    """Yield a small chart for each prediction: its share over time, and that in training."""
    totals: Counter[float] = Counter()
    for row in rows:
        totals[_step(times, row)] += row.answers
    for share in shares:
        counts: Counter[float] = Counter()
        for row in rows:
            if row.prediction in share.names:
                counts[_step(times, row)] += row.answers
        points = [(at, counts[at] / total) for at, total in sorted(totals.items()) if total]
        trained = [] if share.trained is None else [Reference(_("in training"), share.trained)]
        series = [Series(_("served"), "line", points)]
        yield Chart(share.title, times, series, "", trained, is_share=True, is_small=True)


def drift_chart(
    before: Counts, by_hour: Mapping[int, Counts], times: TimeAxis, windows: Sequence[int]
) -> Chart:
    """Return the drift over windows of hours, each at the end of a step."""
    ends = [times.start + at * times.step_seconds for at in range(1, _steps(times) + 1)]
    series = [
        Series(
            ngettext("1 hour", "{hours} hours", hours).format(hours=hours),
            "line",
            [
                (end - times.step_seconds, index)
                for end in ends
                if (index := _index(before, by_hour, end, hours)) is not None
            ],
            _WINDOW_COLORS[hours],
        )
        for hours in windows
    ]
    references = Reference(_("somewhat"), MODERATE), Reference(_("differs"), LARGE, "alert")
    return Chart(_("Drift over windows of hours"), times, series, "PSI", references)


def _steps(times: TimeAxis) -> int:
    return round((times.end - times.start) / times.step_seconds)


def _index(before: Counts, by_hour: Mapping[int, Counts], end: float, hours: int) -> float | None:
    """Return the index of the hours before an end, None where these have too few answers."""
    now: Counter[str] = Counter()
    last = int(end) // HOUR
    for hour in range(last - hours, last):
        now.update(by_hour.get(hour, {}))
    if sum(now.values()) < FEWEST_ANSWERS or not sum(before.values()):
        return None
    return compare(before, now).index
