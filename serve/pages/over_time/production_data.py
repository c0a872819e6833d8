"""What the page in production shows: sentences, a chart by week, and an example of a label."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from db.labels.production import (
    MOST_WEEKS,
    WEEK_SECONDS,
    JudgedWeek,
    ProductionSummary,
    start_of_week,
)
from db.labels.production_judge import FEWEST_JUDGED
from db.labels.told_label import REQUEST_ID
from db.spec.dataset_spec import DatasetSpec
from serve.pages.formatting import count, decimals_for, number, percent
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import ngettext
from serve.pages.time_text import day_text

from .axis import TimeAxis
from .chart import Chart, Series


def loss_text(loss: float | None, *, is_regression: bool) -> str:
    """Return a mean loss as pages show it: the share of right answers, or the mean error."""
    if loss is None:
        return "–"
    return number(loss, decimals_for(loss)) if is_regression else percent(max(1 - loss, 0.0))


def summary_text(summary: ProductionSummary, *, is_regression: bool) -> str:
    """Return in words how good the answers of the last weeks turned out to be."""
    if is_regression:
        said = ngettext(
            "{error} is the mean error in production: last 4 weeks, {count} outcome.",
            "{error} is the mean error in production: last 4 weeks, {count} outcomes.",
            summary.count,
        ).format(error=loss_text(summary.mean_loss, is_regression=True), count=count(summary.count))
    else:
        said = ngettext(
            "{share} right in production: last 4 weeks, {count} outcome.",
            "{share} right in production: last 4 weeks, {count} outcomes.",
            summary.count,
        ).format(share=percent(1 - summary.mean_loss), count=count(summary.count))
    if summary.training_loss is None:
        return said
    promised = loss_text(summary.training_loss, is_regression=is_regression)
    return " ".join([said, _("In training it was {promised}.").format(promised=promised)])


def alert_text(name: str, weeks: Sequence[JudgedWeek], *, is_regression: bool) -> str:
    """Return which week was worse than training, the last one of several; "" if none was."""
    worse = [week for week in weeks if week.is_worse]
    if not worse:
        return ""
    last = worse[-1]
    said = _(
        "In the week from {day}, {model} was worse than in training by more than chance:"
        " {measured} with {count} outcomes, and {promised} in training."
    ).format(
        day=day_text(last.start),
        model=f"{name}@{last.model_version}",
        measured=loss_text(last.mean_loss, is_regression=is_regression),
        count=count(last.count),
        promised=loss_text(last.training_loss, is_regression=is_regression),
    )
    before = len(worse) - 1
    if not before:
        return said
    also = ngettext(
        "So was {count} week before it.", "So were {count} weeks before it.", before
    ).format(count=count(before))
    return f"{said} {also}"


def calm_text(weeks: Sequence[JudgedWeek]) -> str:
    """Return why there is no alert: no week is worse, or none can be judged."""
    if any(week.limit is not None for week in weeks):
        return _("No week is worse than training by more than chance.")
    if any(week.training_loss is None for week in weeks):
        return _("No week can be judged: what the model reached in training is not known.")
    return _(
        "No week can be judged yet: that takes the outcomes of {count} records in a week."
    ).format(count=FEWEST_JUDGED)


def weeks_chart(weeks: Sequence[JudgedWeek], now: float, *, is_regression: bool) -> Chart:
    """Return the weeks as a chart; of several versions in a week, the one that answered most."""
    last = start_of_week(now)
    times = TimeAxis(last - (MOST_WEEKS - 1) * WEEK_SECONDS, last + WEEK_SECONDS, WEEK_SECONDS)
    shown: dict[float, JudgedWeek] = {}
    for week in weeks:
        if week.start not in shown or week.count > shown[week.start].count:
            shown[week.start] = week
    lines = [
        (_("in production"), "student", [(at, week.mean_loss) for at, week in shown.items()]),
        (_("in training"), "rest", _known((at, it.training_loss) for at, it in shown.items())),
        (_("alert"), "bad", _known((at, week.limit) for at, week in shown.items())),
    ]
    series = [
        Series(name, "line", points if is_regression else _right(points), color)
        for name, color, points in lines
        if points
    ]
    title = _("Mean error by week") if is_regression else _("Share of right answers by week")
    return Chart(title, times, series, is_share=not is_regression, from_zero=False)


def _known(points: Iterable[tuple[float, float | None]]) -> list[tuple[float, float]]:
    return [(at, loss) for at, loss in points if loss is not None]


def _right(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return shares of right answers in place of shares of wrong ones."""
    return [(at, max(1 - loss, 0.0)) for at, loss in points]


class SubjectColumns(NamedTuple):
    """Columns of a file that name what a label is the truth of, and what they hold in words."""

    columns: tuple[str, ...]
    words: str


def subject_columns(spec: DatasetSpec) -> list[SubjectColumns]:
    """Return the ways in which a row of a file with labels names what its label is the truth of."""
    ways = [SubjectColumns(spec.field_columns, _("the inputs"))]
    if spec.id:
        ways.insert(0, SubjectColumns((spec.row_id_column,), _("the id of the row")))
    if REQUEST_ID not in spec.request_names:
        ways.insert(0, SubjectColumns((REQUEST_ID,), _("the id of the request")))
    return ways


def label_examples(
    spec: DatasetSpec, labels: Sequence[str], *, needs_inputs: bool
) -> list[dict[str, Any]]:
    """Return items that POST /labels takes: of a request, of a row, and of inputs.

    `needs_inputs` says that the store does not have the inputs of what was asked.
    """
    label: Any = 100 if spec.kind == "regression" else (labels or ("yes",))[0]
    subjects: list[dict[str, Any]] = [spec.example_inputs()]
    if spec.id:
        subjects.insert(0, {spec.id: "17"})
    if REQUEST_ID not in spec.request_names:
        inputs = spec.example_inputs() if needs_inputs else {}
        subjects.insert(0, {REQUEST_ID: "5f2c9a1e00000007", **inputs})
    return [{**subject, spec.target: label} for subject in subjects]


def curl_command(address: str, item: dict[str, Any]) -> str:
    """Return the command that tells one label."""
    body = json.dumps([item], ensure_ascii=False)
    return f'curl {address} -H "Authorization: Bearer KEY" -d {shlex.quote(body)}'
