"""Settles the records that an import has mentioned: removes old rows, and sums up the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.records.observation import count_labels_of, summarize_labels
from db.store import tables

from .label_precedence import settle_precedence
from .record_rows import REPLACEABLE, RecordRows, read_record_rows
from .row import RowCounts, RowTarget
from .row_ledger import RowLedger

_rows = tables.observation.c


def settle_records(
    connection: Connection,
    target: RowTarget,
    keys: Sequence[bytes],
    ledger: RowLedger,
) -> RowCounts:
    """Remove rows that the import no longer has, and update the labels of these records.

    Returns the counts by which those of `write_rows` change.
    """
    counts = RowCounts()
    for part in slices(keys, KEYS_PER_STATEMENT):
        records = _read_records(connection, target, part)
        rows = read_record_rows(connection, [record.id for record in records], target.last_id)
        if not target.submission_id:
            mentioned = ledger.labels_of([record.key for record in records])
            for record in records:
                old = rows.get(record.id)
                if old is not None:
                    counts += _replace(connection, record.id, old, mentioned[record.key])
        _settle_judged(connection, rows)
        _update_labels(connection, records, rows, regression=target.regression)
    return counts


def _read_records(
    connection: Connection, target: RowTarget, keys: Sequence[bytes]
) -> Sequence[Any]:
    query = select(tables.record.c.id, tables.record.c.key, tables.record.c.label).where(
        tables.record.c.dataset_id == target.dataset_id, tables.record.c.key.in_(keys)
    )
    # The lock waits for a person who is just labelling one of the records.
    locked = query.order_by(tables.record.c.key).with_for_update(read=True, key_share=True)
    return connection.execute(locked).all()


def surplus_rows(replaceable: Mapping[str, int], mentioned: Mapping[str, int]) -> dict[str, int]:
    """Return by label how many rows of a record stay, for the labels that have more than that.

    The label is "" for rows without one. An import without labels for a record never removes
    labels, since a file to predict has none: its rows are then those that have labels already.
    """
    if not mentioned:
        return {}
    stay = dict(mentioned)
    if not any(mentioned):
        labelled = {label: count for label, count in replaceable.items() if label}
        stay |= labelled | {"": max(mentioned[""] - sum(labelled.values()), 0)}
    return {
        label: stay.get(label, 0)
        for label, count in replaceable.items()
        if count > stay.get(label, 0)
    }


def _replace(
    connection: Connection, record_id: int, rows: RecordRows, mentioned: Mapping[str, int]
) -> RowCounts:
    removed = 0
    for label, stay in surplus_rows(rows.replaceable, mentioned).items():
        done = connection.execute(
            delete(tables.observation).where(
                _rows.record_id == record_id,
                REPLACEABLE,
                func.coalesce(_rows.label, "") == label,
                _rows.ordinal >= stay,
            )
        )
        removed += done.rowcount
        if label:
            rows.labels[label] -= done.rowcount
    replaced = min(removed, rows.new)
    if not any(mentioned):
        return RowCounts(added=-replaced, unchanged=replaced, removed=removed - replaced)
    return RowCounts(added=-replaced, corrected=replaced, removed=removed - replaced)


def _settle_judged(connection: Connection, rows: Mapping[int, RecordRows]) -> None:
    """Decide which labels count where people have given some, and count them again."""
    judged = [record_id for record_id, one in rows.items() if one.by_people]
    if judged:
        settle_precedence(connection, judged)
        labels = count_labels_of(connection, judged)
        for record_id in judged:
            rows[record_id].labels = labels.get(record_id, {})


_update_label = (
    update(tables.record)
    .where(tables.record.c.id == bindparam("record_id"))
    # The new labels have not been checked yet, so the issue of the old ones no longer applies.
    .values(label=bindparam("new_label"), issue=None)
)


def _update_labels(
    connection: Connection,
    records: Sequence[Any],
    rows: Mapping[int, RecordRows],
    *,
    regression: bool,
) -> None:
    changes = []
    for record in records:
        counts = rows[record.id].labels if record.id in rows else {}
        present = {label: count for label, count in counts.items() if count > 0}
        label = summarize_labels(present, regression=regression)
        if label != record.label:
            changes.append({"record_id": record.id, "new_label": label})
    if changes:
        connection.execute(_update_label, changes)
