"""How long there is no chunk to claim, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.store import tables
from db.store.dialect import lease_clock


@dataclass(frozen=True)
class Wait:
    """How long until a chunk can be claimed, and why it cannot be claimed now."""

    seconds: float
    reason: str


def wait_for_chunk(connection: Connection, dataset_ids: Sequence[int]) -> Wait | None:
    """Return the shortest wait for a chunk of these datasets, None if there is no chunk.

    The reason is "" for a leased chunk, since its worker may return it at any moment.
    """
    now, boot = lease_clock(connection)
    rows = connection.execute(
        select(
            tables.chunk.c.owner,
            tables.chunk.c.lease_boot,
            tables.chunk.c.lease_until - now,
            tables.chunk.c.error,
        ).where(tables.chunk.c.dataset_id.in_(dataset_ids))
    ).all()
    waits = [
        Wait(
            0.0 if left is None or lease_boot != boot else max(left, 0.0),
            (error or "") if owner is None else "",
        )
        for owner, lease_boot, left, error in rows
    ]
    return min(waits, key=lambda wait: wait.seconds, default=None)
