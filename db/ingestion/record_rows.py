"""The rows that records have in the store, counted by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from db.store import tables

_rows = tables.observation.c
# The rows that an import may replace.
REPLACEABLE = (_rows.submission_id == 0) & _rows.row_id.is_(None) & (_rows.origin != "person")


@dataclass
class RecordRows:
    """The rows of a record by label, "" for rows without one.

    `labels` counts those whose label counts. An import may replace the `replaceable` ones: they
    have no row id, were not added beside others, and are not a person's; a label that a person gave
    may have replaced theirs. `new` rows came after the import began.
    """

    labels: dict[str, int] = field(default_factory=dict)
    replaceable: dict[str, int] = field(default_factory=dict)
    total: int = 0
    new: int = 0
    by_people: int = 0

    @property
    def replaceable_total(self) -> int:
        """The number of rows that an import may replace."""
        return sum(self.replaceable.values())


def read_record_rows(
    connection: Connection, ids: Sequence[int], last_id: int
) -> dict[int, RecordRows]:
    """Return the rows of records by record id; new ones have an id above `last_id`."""
    query = (
        select(
            _rows.record_id,
            _rows.label,
            func.count(),
            *(
                func.sum(case((condition, 1), else_=0))
                for condition in (
                    _rows.replaced_by.is_(None),
                    REPLACEABLE,
                    _rows.id > last_id,
                    _rows.origin == "person",
                )
            ),
        )
        .where(_rows.record_id.in_(ids))
        .group_by(_rows.record_id, _rows.label)
    )
    found: dict[int, RecordRows] = {}
    for record_id, label, count, current, replaceable, new, by_people in connection.execute(query):
        one = found.get(record_id)
        if one is None:
            one = found[record_id] = RecordRows()
        if label is not None:
            one.labels[label] = int(current)
        one.replaceable[label or ""] = int(replaceable)
        one.total += count
        one.new += int(new)
        one.by_people += int(by_people)
    return found
