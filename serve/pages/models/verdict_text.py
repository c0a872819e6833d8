"""Sentences about models in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from db.versions.difference import Difference
from db.versions.model_verdict import ModelWarning, model_warnings
from db.versions.out_of_fold import ModelKind
from serve.pages.formatting import decimals_for, number, percent
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import mark

# By the kinds of db.versions.model_verdict, which has the same texts.
WARNING_TEXTS = {
    "accuracy_is_chance": mark(
        "It does not beat guessing by more than chance: it is right for {accuracy} of the rows, and"
        " always answering {label} is right for {guessing}."
    ),
    "accuracy_is_chance_but_ranks": mark(
        "Its answers do not beat guessing by more than chance: it is right for {accuracy} of the"
        " rows, and always answering {label} is right for {guessing}. Its probabilities do say"
        " something: decide by them, not by the answer."
    ),
    "error_is_chance": mark(
        "It does not beat guessing by more than chance: it explains {explained} of the variance,"
        " and always answering the mean explains none of it."
    ),
    "labels_never_found": mark("It never finds these labels, their recall is 0: {labels}."),
}
_MODELS = {"teacher": mark("teacher"), "student": mark("student")}
_CHANGES = {
    ("accuracy", "rose"): mark(
        "The accuracy of the {model} rose from {before} to {after}, by {change} ± {error} points:"
        " more than chance."
    ),
    ("accuracy", "fell"): mark(
        "The accuracy of the {model} fell from {before} to {after}, by {change} ± {error} points:"
        " more than chance."
    ),
    ("accuracy", "chance"): mark(
        "The accuracy of the {model} went from {before} to {after}; a change of {change} ± {error}"
        " points may be chance."
    ),
    ("mae", "rose"): mark(
        "The mean error of the {model} rose from {before} to {after}, by {change} ± {error}: more"
        " than chance."
    ),
    ("mae", "fell"): mark(
        "The mean error of the {model} fell from {before} to {after}, by {change} ± {error}: more"
        " than chance."
    ),
    ("mae", "chance"): mark(
        "The mean error of the {model} went from {before} to {after}; a change of {change} ±"
        " {error} may be chance."
    ),
}


def warning_sentences(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a user of a model should be warned of, in the language of the page."""
    return [warning_sentence(warning) for warning in model_warnings(metrics)]


def warning_sentence(warning: ModelWarning) -> str:
    """Return a warning in the language of the page."""
    values = {
        name: percent(value, 1) if isinstance(value, float) else value
        for name, value in warning.values.items()
    }
    return _(WARNING_TEXTS[warning.kind]).format(**values)


def verdict_sentence(metrics: Mapping[str, Any]) -> str:
    """Return how good a model is beside guessing; "" if its metrics do not say it."""
    teacher, baseline = metrics.get("teacher") or {}, metrics.get("baseline") or {}
    if "accuracy" in teacher and "accuracy" in baseline:
        return _(
            "{accuracy} of its answers are right; always answering the most frequent label is right"
            " for {guessing}."
        ).format(accuracy=percent(teacher["accuracy"]), guessing=percent(baseline["accuracy"]))
    if "mae" in teacher and "mae" in baseline:
        digits = decimals_for(teacher["mae"])
        return _(
            "It is wrong by {error} on average; always answering the mean is wrong by {guessing}."
        ).format(error=number(teacher["mae"], digits), guessing=number(baseline["mae"], digits))
    return ""


def change_sentence(measure: str, model: ModelKind, difference: Difference) -> str:
    """Return how the accuracy or the mean error of a model has changed between two versions."""
    values = _shown(measure, difference)
    return _(_CHANGES[measure, _direction(difference)]).format(model=_(_MODELS[model]), **values)


def _direction(difference: Difference) -> str:
    if not difference.is_beyond_chance:
        return "chance"
    return "rose" if difference.change > 0 else "fell"


def _shown(measure: str, difference: Difference) -> dict[str, str]:
    """Return the figures of a difference: shares in percent, and their change in points."""
    if measure == "accuracy":
        return {
            "before": percent(difference.before, 1),
            "after": percent(difference.after, 1),
            "change": number(100 * abs(difference.change), 1),
            "error": number(100 * difference.error, 1),
        }
    digits = decimals_for(difference.before)
    return {
        "before": number(difference.before, digits),
        "after": number(difference.after, digits),
        "change": number(abs(difference.change), digits),
        "error": number(difference.error, digits),
    }
