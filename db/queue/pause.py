"""The pause: while its row exists, no worker claims a chunk."""

from __future__ import annotations

import time

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.dialect import insert


def pause_workers(connection: Connection) -> None:
    """Make all workers wait, including those that start later."""
    paused = insert(connection, tables.pause).values(id=1, made_at=time.time())
    connection.execute(paused.on_conflict_do_nothing())


def resume_workers(connection: Connection) -> None:
    """Let all workers continue."""
    connection.execute(delete(tables.pause))


def paused_at(connection: Connection) -> float | None:
    """Return when workers were paused, None if they are not."""
    return connection.execute(select(tables.pause.c.made_at)).scalar()
