"""The pause: while its row exists, no worker claims a chunk."""

from __future__ import annotations

import time

from db.store.direct.statement import Statement, StoreConnection

_pause = Statement(
    "INSERT INTO {schema}pause (id, made_at) VALUES (1, {}) ON CONFLICT (id) DO NOTHING"
)
_resume = Statement("DELETE FROM {schema}pause")
_paused_at = Statement("SELECT made_at FROM {schema}pause")


def pause_workers(connection: StoreConnection) -> None:
    """Make all workers wait, including those that start later."""
    _pause.run(connection, time.time())


def resume_workers(connection: StoreConnection) -> None:
    """Let all workers continue."""
    _resume.run(connection)


def paused_at(connection: StoreConnection) -> float | None:
    """Return when workers were paused, None if they are not."""
    row = _paused_at.first(connection)
    return None if row is None else row[0]
