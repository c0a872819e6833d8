"""Inputs that people asked for and nobody had seen: they are enriched before the rest."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from .dialect import insert
from .field import Inputs
from .record import encode_inputs
from .table import record


class Asked(NamedTuple):
    """A key and its inputs as they are stored: thousands of them may wait in memory."""

    key: bytes
    inputs: bytes


def pack_asked(key: bytes, inputs: Inputs) -> Asked:
    """Return inputs that were asked for, ready to be stored."""
    return Asked(key, encode_inputs(inputs))


def ask_for(connection: Connection, dataset_id: int, asked: Iterable[Asked]) -> None:
    """Remember what was asked for; of a record that is there already, that somebody did."""
    now = time.time()
    rows = [
        {
            "dataset_id": dataset_id,
            "key": one.key,
            "inputs": one.inputs.decode(),
            "origin": "request",
            "asked": True,
            "made_at": now,
        }
        # Whoever locks rows does so in the order of keys.
        for one in sorted(asked)
    ]
    if not rows:
        return
    connection.execute(
        insert(connection, record).on_conflict_do_update(
            index_elements=["dataset_id", "key"], set_={"asked": True}, where=~record.c.asked
        ),
        rows,
    )


def count_waiting(connection: Connection, dataset_id: int, most: int) -> int:
    """Return how many records that came with requests have never been enriched, up to `most`."""
    waiting = (
        select(record.c.id)
        .where(
            record.c.dataset_id == dataset_id,
            record.c.asked,
            record.c.revision == 0,
            record.c.chunk_id.is_(None),
        )
        .limit(most)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(waiting)).scalar_one()
