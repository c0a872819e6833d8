"""Writes rows of the user's data as records and observations, so that a second time adds nothing.

A row with a row id is that row, whatever its inputs are. Its record is settled in the same
transaction, because the next run of an interrupted import finds the row unchanged. Without row ids,
the rows of an import are all that its data says about the inputs that it mentions: at the end of
the import, `settle_records` removes the other rows of these records, except rows of submissions
that were added on purpose.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, exists, select, update

from db.records.encoded_inputs import KEYS_PER_STATEMENT, slices
from db.records.record import erase_records
from db.store import tables
from db.store.generation import raise_generation

from .bulk_statements import insert_many, select_listed
from .label_precedence import judged_records, settle_precedence
from .record_rows import read_record_rows
from .record_writer import Records, find_or_add_records
from .row import NewRow, RowCounts, RowTarget
from .row_ledger import RowLedger
from .settlement import settle_records


def write_rows(
    connection: Connection, target: RowTarget, rows: Sequence[NewRow], ledger: RowLedger
) -> RowCounts:
    """Write a batch of rows; the ledger is shared by all batches of an import."""
    numbered = [row for row in rows if row.row_id is None]
    # Of rows with the same id the last one counts: the inputs of the others make no record.
    with_id = {row.row_id: row for row in rows if row.row_id is not None}
    records = find_or_add_records(connection, target, [*numbered, *with_id.values()])
    counts = RowCounts(
        records=len(records.ids) - len(records.known),
        repeated=len(rows) - len(numbered) - len(with_id),
    )
    if numbered:
        counts += _write_numbered(connection, target, numbered, records, ledger)
    if with_id:
        counts += _write_identified(connection, target, with_id, records, ledger)
    return counts


def _write_numbered(
    connection: Connection,
    target: RowTarget,
    rows: Sequence[NewRow],
    records: Records,
    ledger: RowLedger,
) -> RowCounts:
    """Write rows without row ids; a row that is there already is left as it is."""
    keys = {row.key for row in rows}
    # A record that is new has not been mentioned before.
    again = ledger.mentioned(keys & records.known)
    unchanged = _unchanged_keys(connection, target, rows, records, again)
    ledger.mark_known(keys & records.known - unchanged)
    ordinals = ledger.number([(row.key, row.label or "") for row in rows], again)
    added = _insert_observations(
        connection,
        target,
        [
            (records.ids[row.key], row.label, None, ordinal)
            for row, ordinal in zip(rows, ordinals, strict=True)
            if row.key not in unchanged
        ],
    )
    return RowCounts(added=added, unchanged=len(rows) - added)


def _unchanged_keys(
    connection: Connection,
    target: RowTarget,
    rows: Sequence[NewRow],
    records: Records,
    again: set[bytes],
) -> set[bytes]:
    """Return the keys whose rows in the store are exactly those of this batch.

    Most rows of a file that is imported again are such rows, and need no work. `again` are keys of
    an earlier batch, whose rows do not count.
    """
    if target.submission_id:
        return set()
    wanted: dict[bytes, dict[str, int]] = {}
    for row in rows:
        if row.key in records.known:
            labels = wanted.setdefault(row.key, {})
            labels[row.label or ""] = labels.get(row.label or "", 0) + 1
    unchanged = set()
    for keys in slices(sorted(wanted.keys() - again), KEYS_PER_STATEMENT):
        by_id = {records.ids[key]: key for key in keys}
        stored = read_record_rows(connection, list(by_id), target.last_id)
        unchanged |= {
            by_id[record_id]
            for record_id, one in stored.items()
            if one.replaceable == wanted[by_id[record_id]] and one.total == one.replaceable_total
        }
    return unchanged


def _insert_observations(
    connection: Connection, target: RowTarget, values: list[tuple[int, str | None, str | None, int]]
) -> int:
    """Insert rows, each given by its record's id, label, row id and ordinal; return how many."""
    common = {
        "dataset_id": target.dataset_id,
        "origin": target.origin,
        "made_at": time.time(),
        "submission_id": target.submission_id,
    }
    # The order of the index makes its pages be written once.
    values.sort(key=lambda value: (value[0], value[1] or ""))
    names = ("record_id", "label", "row_id", "ordinal")
    return insert_many(connection, tables.observation, common, names, values)


def _write_identified(
    connection: Connection,
    target: RowTarget,
    rows: dict[str, NewRow],
    records: Records,
    ledger: RowLedger,
) -> RowCounts:
    """Write rows with row ids: insert new ones, and update those whose inputs or label differ."""
    existing = _read_identified(connection, target.dataset_id, list(rows))
    new = [row for row_id, row in rows.items() if row_id not in existing]
    added = _insert_observations(
        connection, target, [(records.ids[row.key], row.label, row.row_id, 0) for row in new]
    )
    changed = [
        (row, old)
        for row_id, row in rows.items()
        if (old := existing.get(row_id))
        and (old.record_id != records.ids[row.key] or row.label not in {None, old.label})
    ]
    to_settle = _shared_keys(new, records, ledger) | {row.key for row, _ in changed}
    ledger.mention((row.key, row.label or "") for row in [*new, *(row for row, _ in changed)])
    to_settle |= _correct(connection, target, changed, records)
    _mark_unsettled(rows, existing, records, ledger)
    seen = {row_id for row_id, old in existing.items() if old.id > target.last_id}
    corrected = sum(old.id <= target.last_id for _, old in changed)
    counts = RowCounts(
        added=added,
        corrected=corrected,
        repeated=len(seen),
        unchanged=len(rows) - added - corrected - len(seen),
    )
    return counts + settle_records(connection, target, sorted(to_settle), ledger)


def _correct(
    connection: Connection,
    target: RowTarget,
    changed: Sequence[tuple[NewRow, Row[Any]]],
    records: Records,
) -> set[bytes]:
    """Update rows; return the keys of the records that they were rows of."""
    changes = [
        {"observation": old.id, "record": records.ids[row.key], "new_label": row.label or old.label}
        for row, old in changed
    ]
    if not changes:
        return set()
    connection.execute(_update_observation, changes)
    corrected = {old.id for _, old in changed}
    arrived = {
        old.id for row, old in changed if old.label is None or old.record_id != records.ids[row.key]
    }
    judged = judged_records(connection, corrected)
    settle_precedence(connection, judged, corrected, arrived)
    return leave_records(connection, target, [old for _, old in changed])


_update_observation = (
    update(tables.observation)
    .where(tables.observation.c.id == bindparam("observation"))
    .values(record_id=bindparam("record"), label=bindparam("new_label"))
)


def _read_identified(
    connection: Connection, dataset_id: int, row_ids: Sequence[str]
) -> dict[str, Any]:
    query = (
        "SELECT row_id, id, record_id, label FROM {table}"
        " WHERE dataset_id = {dataset} AND row_id {listed}"
    )
    found = select_listed(connection, tables.observation, query, dataset_id, row_ids)
    return {row.row_id: row for row in found}


def _shared_keys(rows: Collection[NewRow], records: Records, ledger: RowLedger) -> set[bytes]:
    """Return which records of new rows have several and are to be settled now.

    A record that many batches mention would be settled by each of them, so after the first time
    it is settled at the end.
    """
    keys = Counter(row.key for row in rows)
    known = keys.keys() & records.known
    again = ledger.mentioned(known)
    ledger.mark_known(again)
    return {key for key, count in keys.items() if count > 1 or key in known} - again


def _mark_unsettled(
    rows: Mapping[str, NewRow],
    existing: Mapping[str, Row[Any]],
    records: Records,
    ledger: RowLedger,
) -> None:
    """Tell the ledger which records an interrupted import may have left with an old label.

    Rows that it added with the label of their record have not changed that label.
    """
    ledger.mark_known(
        row.key
        for row_id, row in rows.items()
        if row_id in existing
        and row.key in records.known
        and existing[row_id].label not in {None, records.labels[row.key]}
    )


def leave_records(
    connection: Connection, target: RowTarget, moved: Collection[Row[Any]]
) -> set[bytes]:
    """Take care of the records of rows that were corrected or removed; return the keys to settle.

    A record that no row and no request has brought is deleted. Web processes cache the answers to
    row ids, so the generation rises.
    """
    ids = sorted({row.record_id for row in moved})
    keys: set[bytes] = set()
    has_row = exists().where(tables.observation.c.record_id == tables.record.c.id)
    for part in slices(ids, KEYS_PER_STATEMENT):
        query = select(tables.record.c.id, tables.record.c.key, tables.record.c.asked, has_row)
        # The lock waits for a worker that is writing results of these records.
        left = connection.execute(
            query.where(tables.record.c.id.in_(part))
            .order_by(tables.record.c.key)
            .with_for_update()
        ).all()
        keys.update(row.key for row in left if row[3])
        erase_records(
            connection, target.dataset_id, [row.id for row in left if not (row[3] or row.asked)]
        )
        asked = [row.id for row in left if row.asked and not row[3]]
        connection.execute(
            update(tables.record)
            .where(tables.record.c.id.in_(asked))
            .values(origin="request", label=None)
        )
    raise_generation(connection)
    return keys
