"""The answer to a row of a file, and the columns in which it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from db.files.source_file import unused_name
from db.scoring.response_body import Answer
from db.spec.dataset_spec import DatasetSpec

CLASSIFICATION_COLUMNS = ("prediction", "probability", "source", "model", "error")
REGRESSION_COLUMNS = ("prediction", "interval_low", "interval_high", "source", "model", "error")


class RowAnswer(NamedTuple):
    """A prediction or an error; the other members are None or "" then.

    `certainty` has the probability of a label, or the ends of a number's interval.
    """

    prediction: str | float | None
    certainty: tuple[float | None, ...]
    source: str
    model: str
    error: str

    def cells(self) -> tuple[str | float | None, ...]:
        """Return the values of the added columns; a missing one is None."""
        return (
            self.prediction,
            *self.certainty,
            self.source or None,
            self.model or None,
            self.error or None,
        )


def row_answer(answer: Answer) -> RowAnswer:
    """Return an answer in the form of a row's."""
    certainty: tuple[float | None, ...]
    if isinstance(answer.prediction, str):
        certainty = ((answer.probabilities or {}).get(answer.prediction),)
    else:
        certainty = answer.interval or (None, None)
    return RowAnswer(answer.prediction, certainty, answer.source, answer.model, "")


def row_error(spec: DatasetSpec, reason: str) -> RowAnswer:
    """Return the answer to a row that cannot be predicted."""
    return RowAnswer(None, (None,) * (len(added_columns(spec)) - 4), "", "", reason)


def added_columns(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the names of the columns that predictions add to a table."""
    return CLASSIFICATION_COLUMNS if spec.kind == "classification" else REGRESSION_COLUMNS


def unused_names(names: Iterable[str], taken: Collection[str]) -> tuple[str, ...]:
    """Return names for added columns; one that the table has gets a number, as prediction_2."""
    return tuple(unused_name(name, taken) for name in names)


def renaming_notes(names: Iterable[str], added: Iterable[str]) -> list[str]:
    """Return a sentence for each added column with another name than usual."""
    return [
        f"has a column {name} already, so the new one is named {new}"
        for name, new in zip(names, added, strict=True)
        if name != new
    ]
