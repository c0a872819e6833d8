"""The verdict on a model in a few words: how often it is right, or by how much it is off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.labels.production import ProductionSummary
from serve.pages.formatting import decimals_for, number, percent
from serve.pages.language.translation import gettext as _
from serve.pages.over_time.production_data import summary_text


@dataclass(frozen=True)
class Verdict:
    """The quality of a model in words, and the figure of guessing; "" if it was not measured."""

    quality: str = ""
    guessing: str = ""


def verdict_of(metrics: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a model by its metrics, which may be those of any release."""
    teacher, baseline = metrics.get("teacher") or {}, metrics.get("baseline") or {}
    if "accuracy" in teacher:
        return Verdict(
            _("{share} right").format(share=percent(teacher["accuracy"])),
            percent(baseline["accuracy"]) if "accuracy" in baseline else "",
        )
    # Releases before this measure have only the root of the mean squared error.
    measure = "mae" if "mae" in teacher else "rmse"
    if measure in teacher:
        return Verdict(
            _("Typically off by {error}").format(error=_error_text(teacher[measure])),
            _error_text(baseline[measure]) if measure in baseline else "",
        )
    return Verdict()


def _error_text(error: float) -> str:
    return number(error, decimals_for(error))


def production_alarm(summary: ProductionSummary | None, *, is_regression: bool) -> str:
    """Return how bad recent answers turned out to be, "" unless worse than in training."""
    if summary is None or not summary.is_worse:
        return ""
    text = _("Worse than in training by more than chance: {summary}")
    return text.format(summary=summary_text(summary, is_regression=is_regression))
