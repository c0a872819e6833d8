"""The check of the clock by which old data is deleted, against the times in the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from db.errors import StoreError
from db.store import tables
from db.traffic.prediction_counts import HOUR_SECONDS

DAY_SECONDS = 86_400.0
# A time of yesterday was written before the clock was set wrong, unless it has been wrong since.
NEWEST_YESTERDAY_SECONDS = 0.5 * DAY_SECONDS
OLDEST_YESTERDAY_SECONDS = 2 * DAY_SECONDS


def check_clock(connection: Connection, now: float) -> None:
    """Raise StoreError if the clock is more than a day ahead of all times in the store."""
    newest = max((at for at in _latest_times(connection) if at <= now), default=None)
    if newest is not None and now - newest > DAY_SECONDS:
        days = (now - newest) / DAY_SECONDS
        raise StoreError(
            f"the clock says {_date(now)}, {days:,.0f} days after the newest time in the store, so"
            " nothing was deleted; check the clock: timedatectl; if it is right and the store was"
            " idle so long: python -m db prune --force"
        )


def is_clock_credible(now: float, times: Sequence[float]) -> bool:
    """Return True if one of the times is of yesterday: half a day to two days before now."""
    return any(NEWEST_YESTERDAY_SECONDS <= now - at <= OLDEST_YESTERDAY_SECONDS for at in times)


def recent_times(connection: Connection, now: float) -> list[float]:
    """Return the times of the last two days at which commands were run and answers counted."""
    oldest = now - OLDEST_YESTERDAY_SECONDS
    began = tables.run.c.started_at
    runs = select(began).where(began.between(oldest, now))
    hour = tables.served.c.hour
    is_recent = hour.between(oldest // HOUR_SECONDS, now // HOUR_SECONDS)
    hours = select(hour).where(is_recent).distinct()
    counted = [float(number * HOUR_SECONDS) for number in connection.execute(hours).scalars()]
    return [*connection.execute(runs).scalars(), *counted]


def _latest_times(connection: Connection) -> list[float]:
    """Return the latest times of each kind: heartbeats, runs, and rows by the order of their ids.

    The newest id has the newest time, which no index finds.
    """
    seen = select(tables.worker.c.seen_at)
    newest = [
        select(column).order_by(table.c.id.desc()).limit(10)
        for table, column in (
            (tables.run, tables.run.c.started_at),
            (tables.record, tables.record.c.made_at),
            (tables.observation, tables.observation.c.made_at),
        )
    ]
    return [at for query in (seen, *newest) for at in connection.execute(query).scalars()]


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
