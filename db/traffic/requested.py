"""Inputs that people asked for and nobody had seen: they are enriched before the rest."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, LargeBinary, bindparam, func, literal, select, true

from db.records.record import encode_inputs
from db.spec.field import Inputs
from db.spec.key import KEY_BYTES
from db.store import tables
from db.store.dialect import insert, json_elements


class RequestedInput(NamedTuple):
    """A key and its inputs as they are stored: thousands of them may wait in memory."""

    key: bytes
    inputs: bytes


def pack_requested(key: bytes, inputs: Inputs) -> RequestedInput:
    """Return inputs that were asked for, ready to be stored."""
    return RequestedInput(key, encode_inputs(inputs))


def record_requested(
    connection: Connection, dataset_id: int, asked: Iterable[RequestedInput]
) -> None:
    """Remember what was asked for; of a record that is there already, that somebody did.

    One statement for all: a statement each would hand Python's lock to and fro between this
    thread and those that answer, and cost them a third of their slowest percent.
    """
    # Each once, and whoever locks rows does so in the order of keys.
    rows = sorted({one.key: one for one in asked}.values())
    if not rows:
        return
    each = json_elements(connection, bindparam("inputs"))
    key = func.substr(bindparam("keys", type_=LargeBinary), each.c.at * KEY_BYTES + 1, KEY_BYTES)
    found = select(
        literal(dataset_id), key, each.c.json, literal("request"), true(), literal(time.time())
    ).where(true())
    columns = ["dataset_id", "key", "inputs", "origin", "asked", "made_at"]
    connection.execute(
        insert(connection, tables.record)
        .from_select(columns, found)
        .on_conflict_do_update(
            index_elements=["dataset_id", "key"], set_={"asked": True}, where=~tables.record.c.asked
        ),
        {
            "keys": b"".join(one.key for one in rows),
            "inputs": f"[{b','.join(one.inputs for one in rows).decode()}]",
        },
    )


def count_waiting(connection: Connection, dataset_id: int, most: int) -> int:
    """Return how many records that came with requests have never been enriched, up to `most`."""
    waiting = (
        select(tables.record.c.id)
        .where(
            tables.record.c.dataset_id == dataset_id,
            tables.record.c.asked,
            tables.record.c.revision == 0,
            tables.record.c.chunk_id.is_(None),
        )
        .limit(most)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(waiting)).scalar_one()
