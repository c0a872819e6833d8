"""What became of leases: written in the transactions that they tell of, and so true of the store.

A chunk's row is locked by whoever writes under its lease, so that its events stand in the order
in which the store took them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert, select

# Under a lease that was claimed a worker may do all of these, and the last two once.
CLAIMED, RENEWED, RETURNED = "claimed", "renewed", "returned"
FAILED, FINISHED = "failed", "finished"

metadata = MetaData()
lease_event = Table(
    "lease_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("what", Text, nullable=False),
    Column("chunk_id", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True)
class Event:
    """What a worker did under a lease."""

    what: str
    fence: int


def tell(connection: Connection, what: str, chunk_id: int, fence: int) -> None:
    """Add an event to the transaction that it is about."""
    told = insert(lease_event).values(what=what, chunk_id=chunk_id, fence=fence)
    connection.execute(told)


def stories(connection: Connection) -> dict[int, list[Event]]:
    """Return each chunk's events in their order."""
    told: dict[int, list[Event]] = {}
    for row in connection.execute(select(lease_event).order_by(lease_event.c.id)):
        told.setdefault(row.chunk_id, []).append(Event(row.what, row.fence))
    return told


def wrongs(story: Sequence[Event]) -> list[str]:
    """Return what the store should not have taken: all that came from a lost lease."""
    found = []
    fence, has_ended = 0, False
    for event in story:
        is_right = event.fence > fence if event.what == CLAIMED else event.fence == fence
        if has_ended or not is_right:
            found.append(f"{event} under fence {fence}, {has_ended=}")
        fence = max(fence, event.fence)
        has_ended = has_ended or event.what in {FAILED, FINISHED}
    return found


def takeovers(story: Sequence[Event]) -> int:
    """Count how often a chunk was claimed from a worker that had not given it back."""
    return sum(
        event.what == CLAIMED and before.what != RETURNED for before, event in pairwise(story)
    )
