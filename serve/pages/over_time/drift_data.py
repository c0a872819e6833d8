"""Read the drift of a dataset's predictions, and say it in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sqlalchemy import Connection

from db.records.models.trained_model import Model
from db.store.direct.clock import wall_seconds
from db.traffic.counted_answers import AnswerCount, first_hour_of_model, read_answer_counts
from db.traffic.prediction_counts import HOUR_SECONDS
from serve.pages.formatting import count, number
from serve.pages.language.translation import gettext as _
from serve.pages.language.translation import ngettext
from serve.telemetry.drift import MODERATE, WINDOWS, Counts, Drift, drifts, worst_drift


def read_drift(connection: Connection, dataset_id: int, model: Model | None) -> Drift:
    """Return the drift of the worst window, of the answers that this model has given."""
    return worst_drift(read_drifts(connection, dataset_id, model))


def read_drifts(connection: Connection, dataset_id: int, model: Model | None) -> list[Drift]:
    """Return the drift of each window that ends now, of the answers that this model has given."""
    if model is None:
        return [Drift(None, hours=hours) for hours in WINDOWS]
    hour = int(wall_seconds(connection)) // HOUR_SECONDS
    first = first_hour_of_model(connection, dataset_id, model.id)
    answers = read_answer_counts(connection, dataset_id, max(first, hour - max(WINDOWS)))
    return drifts(trained_answers(model), counts_by_hour(answers), hour)


def trained_answers(model: Model) -> Counts:
    """Return how often the model answered each prediction when it was trained."""
    answers: Counts = model.metrics.get("answers", {})
    return answers


def counts_by_hour(answers: Iterable[AnswerCount]) -> dict[int, Counter[str]]:
    """Return the counts by hour and prediction."""
    by_hour: dict[int, Counter[str]] = {}
    for it in answers:
        by_hour.setdefault(it.hour, Counter())[it.prediction] += it.answers
    return by_hour


def drift_badge(drift: Drift) -> str:
    """Return the text of the badge, such as "PSI 0.543"."""
    if drift.index is None:
        return _("not known")
    return _("PSI {index}").format(index=number(drift.index, 3))


def window_text(hours: int) -> str:
    """Return a window in words, such as "the last 6 hours"."""
    return ngettext("the last hour", "the last {hours} hours", hours).format(hours=hours)


def drift_verdict(drift: Drift) -> str:
    """Return a drift in two or three words, for tables."""
    if drift.reason == "too few":
        text = _("too few: {answers} of {needed}")
        return text.format(answers=count(drift.answers), needed=count(drift.needed))
    texts = {
        "fine": _("matches training"),
        "warn": _("differs somewhat"),
        "bad": _("differs"),
    }
    return texts.get(drift.level, "–")


def drift_words(drift: Drift) -> str:
    """Return a sentence about the drift, and what to do."""
    if drift.reason == "no model":
        return _("There is no model yet.")
    if drift.reason == "old model":
        return _("This model was trained before drift was measured. Retrain it.")
    if drift.reason == "too few":
        text = _("Too few predictions to measure drift: {answers} of {needed}.")
        return text.format(answers=count(drift.answers), needed=count(drift.needed))
    if drift.level == "fine":
        return _chance_words(drift)
    texts = {
        "warn": _("Predictions of {window} differ somewhat from training."),
        "bad": _(
            "Predictions of {window} differ from training."
            " Review recent inputs, label some, retrain."
        ),
    }
    return texts[drift.level].format(window=window_text(drift.hours))


def _chance_words(drift: Drift) -> str:
    if drift.index is not None and drift.index >= MODERATE:
        return _("Predictions do not differ from training by more than chance.")
    return _("Predictions match training.")
