"""Requested inputs that were not in the store: they become records, which are enriched first."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, literal, select, true

from db.records.record import encode_inputs
from db.spec.field import Inputs
from db.spec.record_key import KEY_BYTES
from db.store import tables
from db.store.dialect import insert, json_elements, lock_requested
from db.store.json_rows import part_of


class RequestedInput(NamedTuple):
    """A key and its encoded inputs; compact, since thousands of them may wait in memory."""

    key: bytes
    inputs: bytes


def pack_requested(key: bytes, inputs: Inputs) -> RequestedInput:
    """Return requested inputs in the form in which they are stored."""
    return RequestedInput(key, encode_inputs(inputs))


def record_requested(
    connection: Connection, dataset_id: int, requested: Iterable[RequestedInput]
) -> int:
    """Add records for requested inputs; mark records that exist as requested.

    Return how many inputs have not been requested before.

    All rows are written by one statement. With a statement for each row, this thread and those
    that answer requests kept passing Python's lock to each other, and the slowest one percent of
    requests took a third longer.
    """
    # Each key once. All writers lock records in the order of keys, so that they cannot deadlock.
    rows = sorted({row.key: row for row in requested}.values())
    if not rows:
        return 0
    each = json_elements(connection, bindparam("inputs"))
    key = part_of("keys", each.c.at * KEY_BYTES, KEY_BYTES)
    new = select(
        literal(dataset_id), key, each.c.json, literal("request"), true(), literal(time.time())
    ).where(true())
    columns = ["dataset_id", "key", "inputs", "origin", "asked", "made_at"]
    done = connection.execute(
        insert(connection, tables.record)
        .from_select(columns, new)
        .on_conflict_do_update(
            index_elements=["dataset_id", "key"], set_={"asked": True}, where=~tables.record.c.asked
        ),
        {
            "keys": b"".join(row.key for row in rows),
            "inputs": f"[{b','.join(row.inputs for row in rows).decode()}]",
        },
        execution_options={"preserve_rowcount": True},
    )
    return done.rowcount


def record_within_limit(
    connection: Connection, dataset_id: int, requested: Sequence[RequestedInput], limit: int
) -> int:
    """Record requested inputs until `limit` of the dataset's wait; return how many had room.

    Processes and machines do so one after the other, so that all of them together keep the limit.
    """
    lock_requested(connection, dataset_id)
    room = max(limit - count_waiting(connection, dataset_id, limit), 0)
    record_requested(connection, dataset_id, requested[:room])
    return min(len(requested), room)


def count_waiting(connection: Connection, dataset_id: int, limit: int) -> int:
    """Return how many requested records have never been enriched, counting up to `limit`."""
    waiting = (
        select(tables.record.c.id)
        .where(
            tables.record.c.dataset_id == dataset_id,
            tables.record.c.asked,
            tables.record.c.revision == 0,
            tables.record.c.chunk_id.is_(None),
        )
        .limit(limit)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(waiting)).scalar_one()
