"""The control by which a signed-in person labels the record of a page."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from db.labels.label_queue import known_labels
from db.records.observation import Observation
from db.records.record_detail import RecordDetail
from serve.prediction.catalog import Served

# With more labels, a field that searches them is quicker than buttons.
MOST_BUTTONS = 9
MOST_SUGGESTIONS = 500


@dataclass(frozen=True)
class LabelControl:
    """What a person may do with the label of a record.

    `labels` are those to choose from, none for a number. `given` is what the browser has just said,
    if it can be undone.
    """

    may_label: bool
    has_api_keys: bool
    labels: tuple[str, ...] = ()
    given: Observation | None = None

    @property
    def has_buttons(self) -> bool:
        """Whether each label has a button."""
        return 0 < len(self.labels) <= MOST_BUTTONS


def labels_to_choose(connection: Connection, served: Served) -> tuple[str, ...]:
    """Return the labels that a record may get: those of the spec, or those that are known."""
    if served.spec.kind == "regression":
        return ()
    if served.spec.labels:
        return served.spec.labels[:MOST_SUGGESTIONS]
    known = known_labels(connection, served.id, MOST_SUGGESTIONS)
    return tuple(sorted({*served.student_labels, *known}))[:MOST_SUGGESTIONS]


def undoable(record: RecordDetail, observation_id: str, author: str) -> Observation | None:
    """Return the observation with this id if its author can undo it."""
    return next(
        (
            one
            for one in record.observations
            if str(one.id) == observation_id and one.author == author and not one.is_replaced
        ),
        None,
    )
