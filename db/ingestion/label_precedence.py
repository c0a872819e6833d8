"""Which labels of a record count after an import: the file's, or those that people gave.

A person's label replaces what the file said, until the file brings something newer: a row that is
new, or whose label or inputs have changed. Then the rows of the file count again, and the person's
label is kept as history. A label that a person gave to one of several rows, as an id tells which,
gives way to that row alone; one that came with the id of a request does not give way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection, bindparam, select, update

from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.store import tables

_rows = tables.observation.c


@dataclass(frozen=True)
class LabelledRow:
    """What decides whether the label of an observation counts."""

    id: int
    record_id: int
    label: str | None
    origin: str
    submission_id: int
    replaced_by: int | None
    is_unsure: bool
    request_id: str | None

    @property
    def is_judgement(self) -> bool:
        """Whether a person said with it what the label is, or that there is none."""
        return self.origin == "person" and not self.is_unsure

    @property
    def is_of_file(self) -> bool:
        """Whether it is a row of a file that a later file corrects."""
        return self.origin != "person" and self.submission_id == 0


def settle_precedence(
    connection: Connection,
    record_ids: Collection[int],
    changed: Collection[int] = (),
    arrived: Collection[int] = (),
) -> None:
    """Let the newest labels of these records count.

    `changed` are the ids of corrected rows. Those that had no label before, or other inputs, are in
    `arrived` too: they are new to their record as an added row is.
    """
    columns = [_rows[name] for name in LabelledRow.__dataclass_fields__]
    changes = []
    for part in slices(sorted(record_ids), KEYS_PER_STATEMENT):
        query = select(*columns).where(_rows.record_id.in_(part)).order_by(_rows.record_id)
        found = [LabelledRow(*row) for row in connection.execute(query)]
        for _, of_record in groupby(found, key=attrgetter("record_id")):
            rows = list(of_record)
            replaced = replacements(rows, changed, arrived)
            changes += [
                {"observation": row.id, "by": replaced[row.id]}
                for row in rows
                if replaced[row.id] != row.replaced_by
            ]
    if changes:
        connection.execute(_set_replaced, changes)


_set_replaced = (
    update(tables.observation)
    .where(_rows.id == bindparam("observation"))
    .values(replaced_by=bindparam("by"))
)


def judged_records(connection: Connection, observation_ids: Collection[int]) -> set[int]:
    """Return those records of these observations that have labels of people, or replaced ones."""
    judged: set[int] = set()
    for part in slices(sorted(observation_ids), KEYS_PER_STATEMENT):
        records = select(_rows.record_id).where(_rows.id.in_(part))
        query = select(_rows.record_id).where(
            _rows.record_id.in_(records),
            (_rows.origin == "person") | _rows.replaced_by.isnot(None),
        )
        judged.update(connection.execute(query.distinct()).scalars())
    return judged


def replacements(
    rows: Sequence[LabelledRow], changed: Collection[int] = (), arrived: Collection[int] = ()
) -> dict[int, int | None]:
    """Return by which row of its record each row is replaced, None if it counts."""
    replaced = {row.id: None if row.id in changed else row.replaced_by for row in rows}
    judgements = [
        row
        for row in rows
        if row.is_judgement and row.replaced_by is None and row.request_id is None
    ]
    current = [
        row
        for row in rows
        if row.label is not None and row.origin != "person" and replaced[row.id] is None
    ]
    for judgement in judgements:
        # Of a record, and not of one of its rows, if it replaced all that was there.
        is_of_record = len(judgements) == 1 and not any(
            row.id < judgement.id and row.id not in arrived and row.replaced_by is None
            for row in current
        )
        newer = [
            row
            for row in current
            if row.replaced_by == judgement.id
            or (is_of_record and (row.id > judgement.id or row.id in arrived))
        ]
        _give_way(judgement, newer, rows, replaced)
    _give_back(rows, replaced)
    return replaced


def _give_way(
    judgement: LabelledRow,
    newer: Sequence[LabelledRow],
    rows: Iterable[LabelledRow],
    replaced: dict[int, int | None],
) -> None:
    """Replace a person's label by the newest row; after a file, all its rows count again."""
    if not newer:
        return
    replaced[judgement.id] = max(row.id for row in newer)
    if any(row.is_of_file for row in newer):
        for row in rows:
            if row.is_of_file and replaced[row.id] == judgement.id:
                replaced[row.id] = None


def _give_back(rows: Sequence[LabelledRow], replaced: dict[int, int | None]) -> None:
    """Let the newest label of a person count again if the row that replaced it has left.

    Other rows of the file that are still there stand in for the row that has left.
    """
    lost = [
        row.id for row in rows if row.is_judgement and replaced[row.id] not in {None, *replaced}
    ]
    if not lost:
        return
    current = [row.id for row in rows if row.label is not None and replaced[row.id] is None]
    newest = max(current or lost)
    replaced.update(dict.fromkeys(lost, newest))
    if newest in lost:
        replaced[newest] = None
