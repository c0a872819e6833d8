"""Format times and numbers for the pages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from db.records.observation import RowIds, describe_labels
from db.spec.dataset_spec import DatasetSpec
from db.spec.normalization import normal_number

from .language.translation import gettext as _
from .language.translation import language, mark, ngettext

MOST_LABELS = 4
LONG_LABELS = 60
# A browser shows no more of a title.
LONG_TITLE = 1000
MOST_DECIMALS = 6
USUAL_DECIMALS = 3
# From these numbers on, decimals and plain digits are not read.
WITHOUT_DECIMALS, WITH_EXPONENT = 1e6, 1e15
_FRENCH = str.maketrans({",": "\u202f", ".": ","})
_UNITS = ((86_400, mark("{number} d")), (3600, mark("{number} h")), (60, mark("{number} min")))
_SECONDS = mark("{number} s")


def duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two, such as "5 min"."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return _(unit).format(number=localized(f"{seconds / size:,.0f}"))
    return _(_SECONDS).format(number=localized(f"{seconds:,.0f}"))


def ago(at: float, now: float) -> str:
    """Return the time since `at`, such as "5 min ago"; a time in the future is "0 s ago"."""
    return _("{duration} ago").format(duration=duration(max(now - at, 0.0)))


def date(at: float | None) -> str:
    """Return a Unix time as date and time in UTC, to the minute, in the form of the language."""
    if at is None:
        return _("not known")
    form = "%d/%m/%Y %H:%M UTC" if language() == "fr" else "%Y-%m-%d %H:%M UTC"
    return datetime.fromtimestamp(at, UTC).strftime(form)


def number(value: float | None, digits: int | None = None) -> str:
    """Return a number with `digits` decimals, by default the usual ones, or a dash for None."""
    if value is None:
        return "–"
    digits = usual_decimals(value) if digits is None else digits
    text = f"{value:z,.{digits}f}" if abs(value) < WITH_EXPONENT else f"{value:,.4g}"
    # A hyphen is hard to see.
    return localized(text.replace("-", "−", 1))


def usual_decimals(value: float) -> int:
    """Return how many decimals a number has if nothing else decides on them."""
    return USUAL_DECIMALS if abs(value) < WITHOUT_DECIMALS else 0


def count(value: int) -> str:
    """Return a whole number with its digits in groups of three."""
    return localized(f"{value:,}")


def percent(share: float, digits: int = 0) -> str:
    """Return a share from 0 to 1 in percent, such as "82 %"."""
    return localized(f"{100 * share:z.{digits}f}") + " %"


def localized(text: str) -> str:
    """Return a number, as Python writes it with commas between thousands, in the page's language.

    French has a narrow space between thousands, and a comma before decimals.
    """
    return text.translate(_FRENCH) if language() == "fr" else text


def exact_decimals(value: float) -> int:
    """Return how many decimals show a number in full, at most six."""
    return len(f"{value:.{MOST_DECIMALS}f}".rstrip("0").partition(".")[2])


def decimals_for(size: float) -> int:
    """Return how many decimals show a number of this size with three digits, at most six."""
    if not size or not math.isfinite(size):
        return 0
    return min(max(2 - math.floor(math.log10(abs(size))), 0), MOST_DECIMALS)


def interval_decimals(interval: tuple[float, float], value: float) -> int:
    """Return how many decimals suit a number: by its interval's width, or by itself without one."""
    low, high = interval
    return decimals_for(high - low) if high > low else exact_decimals(value)


def interval_text(interval: tuple[float, float], digits: int | None = None) -> str:
    """Return a prediction interval in words; by default its width decides on the decimals."""
    low, high = interval
    digits = interval_decimals(interval, low) if digits is None else digits
    return _("between {low} and {high} in nine of ten cases").format(
        low=number(low, digits), high=number(high, digits)
    )


def signed(amount: float, digits: int) -> str:
    """Return a number with its sign, such as +1.50 or −0.25."""
    text = number(abs(amount), digits)
    return f"{'−' if amount < 0 else '+'}{text}"


def label_text(label: str | None, *, regression: bool) -> str:
    """Return a label, or a dash; the digits of a mean end where those of a float do."""
    if label is None:
        return "–"
    return str(normal_number(float(f"{float(label):.15g}"))) if regression else label


def row_ids_text(row_ids: RowIds) -> str:
    """Return the row ids of a record, a dash for none."""
    if row_ids.count <= 1:
        return row_ids.first or "–"
    return _("{id} and {count} more").format(id=row_ids.first, count=count(row_ids.count - 1))


def field_title(spec: DatasetSpec, name: str) -> str:
    """Return the heading of a field, which is its name unless the spec has another."""
    field = spec.fields.get(name)
    return (field.title if field else "") or name


def labels_text(labels: Mapping[str, int], *, regression: bool) -> tuple[str, str]:
    """Return all labels of a record as short text and as full text; many numbers as their range."""
    full = describe_labels(labels, regression=regression)
    if len(labels) <= 1:
        return full, full
    short = full
    if regression and len(labels) > MOST_LABELS:
        numbers = [normal_number(float(label)) for label in labels]
        short = _("{least} to {most}, {count} rows").format(
            least=min(numbers), most=max(numbers), count=count(sum(labels.values()))
        )
    return _shortened(short, LONG_LABELS), _shortened(full, LONG_TITLE)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def summary_note(labels: Mapping[str, int], *, regression: bool) -> str:
    """Return what the label of a record sums up, "" if it is the label of a single row."""
    rows = sum(labels.values())
    if rows <= 1:
        return ""
    if len(labels) == 1:
        return _("in all {count} rows").format(count=count(rows))
    text = _("the mean of {count} rows") if regression else _("the most frequent of {count} rows")
    return text.format(count=count(rows))


def trained_rows(metrics: Mapping[str, Any]) -> str:
    """Return on how many rows a model was trained, and of how many records where these differ."""
    rows = metrics.get("rows", 0)
    records = metrics.get("records", rows)
    shown = ngettext("{count} labelled row", "{count} labelled rows", rows)
    if records == rows:
        return shown.format(count=count(rows))
    more = _("{rows} of {records} records")
    return more.format(rows=shown.format(count=count(rows)), records=count(records))
