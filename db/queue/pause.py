"""The pause: while it is there, every worker waits."""

from __future__ import annotations

import time

from sqlalchemy import Connection, delete, select

from db.store import tables
from db.store.dialect import insert


def pause_workers(connection: Connection) -> None:
    """Let every worker wait, those too that are not there yet."""
    paused = insert(connection, tables.pause).values(id=1, made_at=time.time())
    connection.execute(paused.on_conflict_do_nothing())


def resume_workers(connection: Connection) -> None:
    """Let every worker go on."""
    connection.execute(delete(tables.pause))


def paused_at(connection: Connection) -> float | None:
    """Return since when workers wait, None while they may work."""
    return connection.execute(select(tables.pause.c.made_at)).scalar()
