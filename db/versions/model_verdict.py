"""The verdict on a model: what its metrics warn of, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .difference import Difference, share_difference

Metrics: TypeAlias = Mapping[str, Any]
WarningKind: TypeAlias = Literal[
    "accuracy_is_chance", "accuracy_is_chance_but_ranks", "error_is_chance", "labels_never_found"
]

# So many labels are named in a sentence.
MOST_NAMED = 5

WARNING_TEXTS: Mapping[WarningKind, str] = {
    "accuracy_is_chance": (
        "It does not beat guessing by more than chance: it is right for {accuracy} of the rows, and"
        " always answering {label} is right for {guessing}."
    ),
    "accuracy_is_chance_but_ranks": (
        "Its answers do not beat guessing by more than chance: it is right for {accuracy} of the"
        " rows, and always answering {label} is right for {guessing}. Its probabilities do say"
        " something: decide by them, not by the answer."
    ),
    "error_is_chance": (
        "It does not beat guessing by more than chance: it explains {explained} of the variance,"
        " and always answering the mean explains none of it."
    ),
    "labels_never_found": "It never finds these labels, their recall is 0: {labels}.",
}


@dataclass(frozen=True)
class ModelWarning:
    """A warning about a model; a value is a share if it is a float, and else is shown as it is.

    `text` has the values' names in braces, so that pages can translate it.
    """

    kind: WarningKind
    values: Mapping[str, float | str]

    @property
    def text(self) -> str:
        """The English sentence with the names of the values in braces."""
        return WARNING_TEXTS[self.kind]

    @property
    def sentence(self) -> str:
        """The warning as an English sentence."""
        shown = {
            name: f"{value:.1%}" if isinstance(value, float) else value
            for name, value in self.values.items()
        }
        return self.text.format(**shown)


def model_warnings(metrics: Metrics) -> list[ModelWarning]:
    """Return what a user of a model should be warned of; nothing if the metrics say nothing.

    `metrics` are those of a stored version, of any release.
    """
    teacher, baseline = metrics.get("teacher"), metrics.get("baseline")
    if not teacher or not baseline:
        return []
    if "accuracy" not in teacher:
        return list(_error_warnings(metrics))
    return [*_accuracy_warnings(metrics), *_label_warnings(teacher)]


def gain_over_guessing(metrics: Metrics) -> Difference:
    """Return by how much the teacher's accuracy is above that of always the most frequent label.

    It is paired: both answer the same rows, of which the confusion matrix has the counts.
    """
    teacher, guessing = metrics["teacher"], metrics["baseline"]["accuracy"]
    accuracy, rows = teacher["accuracy"], max(teacher.get("rows", metrics.get("rows", 0)), 1)
    records = metrics.get("records") or rows
    confusion = teacher.get("confusion")
    if not confusion:
        return share_difference(guessing, accuracy, records, records)
    totals = [sum(row) for row in confusion]
    at = totals.index(max(totals))
    gained = sum(row[place] for place, row in enumerate(confusion)) - confusion[at][at]
    lost = totals[at] - confusion[at][at]
    change = (gained - lost) / rows
    variance = max((gained + lost) / rows - change**2, 0.0)
    # Rows of one record are not independent: the records count.
    return Difference(guessing, accuracy, (variance / records) ** 0.5)


def _accuracy_warnings(metrics: Metrics) -> Iterator[ModelWarning]:
    gain = gain_over_guessing(metrics)
    if gain.is_beyond_chance and gain.change > 0:
        return
    shares = {
        name: int(score.get("rows", 0))
        for name, score in metrics["teacher"].get("labels", {}).items()
    }
    most_frequent = max(shares, key=lambda name: shares[name], default="the most frequent label")
    yield ModelWarning(
        "accuracy_is_chance_but_ranks" if metrics.get("beats_baseline") else "accuracy_is_chance",
        {"accuracy": float(gain.after), "label": most_frequent, "guessing": float(gain.before)},
    )


def _error_warnings(metrics: Metrics) -> Iterator[ModelWarning]:
    r2 = float(metrics["teacher"].get("r2", 0.0))
    # Versions from before the comparison with the baseline was stored have only R².
    if not metrics.get("beats_baseline", r2 > 0):
        yield ModelWarning("error_is_chance", {"explained": max(r2, 0.0)})


def _label_warnings(teacher: Metrics) -> Iterator[ModelWarning]:
    never = [
        name
        for name, score in teacher.get("labels", {}).items()
        if score.get("rows", 0) and not score.get("recall", 1.0)
    ]
    if never:
        more = f" (+{len(never) - MOST_NAMED:,})" if len(never) > MOST_NAMED else ""
        yield ModelWarning("labels_never_found", {"labels": ", ".join(never[:MOST_NAMED]) + more})
