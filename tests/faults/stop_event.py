"""A log of lease events, each written in the transaction that it describes.

A worker that writes under a lease locks the chunk's row, so a chunk's events are in the order in
which the store accepted them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert, select

# A worker may do each of these under a claimed lease, and either of the last two only once.
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
    """An action of a worker under a lease."""

    what: str
    fence: int


def tell(connection: Connection, what: str, chunk_id: int, fence: int) -> None:
    """Write an event in the transaction that it describes."""
    event = insert(lease_event).values(what=what, chunk_id=chunk_id, fence=fence)
    connection.execute(event)


def stories(connection: Connection) -> dict[int, list[Event]]:
    """Return the events of each chunk in order, by chunk id."""
    events: dict[int, list[Event]] = {}
    for row in connection.execute(select(lease_event).order_by(lease_event.c.id)):
        events.setdefault(row.chunk_id, []).append(Event(row.what, row.fence))
    return events


def wrongs(story: Sequence[Event]) -> list[str]:
    """Return the events that the store should have refused because their lease was lost."""
    wrong_events = []
    fence, has_ended = 0, False
    for event in story:
        is_right = event.fence > fence if event.what == CLAIMED else event.fence == fence
        if has_ended or not is_right:
            wrong_events.append(f"{event} under fence {fence}, {has_ended=}")
        fence = max(fence, event.fence)
        has_ended = has_ended or event.what in {FAILED, FINISHED}
    return wrong_events


def takeovers(story: Sequence[Event]) -> int:
    """Count how often a chunk was claimed from a worker that had not returned it."""
    return sum(
        event.what == CLAIMED and before.what != RETURNED for before, event in pairwise(story)
    )
