"""The outlook: how far enrichment has come, who works at it, and when it will be done."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from db.call import spent_calls
from db.dataset import Dataset, all_datasets
from db.dialect import wall_seconds
from db.pause import paused_at
from db.record import count_records, count_stale
from db.status import dataset_status
from db.store import Store
from db.worker import SILENT_SECONDS, all_workers, bury_dead


def outlook(store: Store) -> dict[str, Any]:
    """Return what `status` tells: datasets with their backlog, workers, and the time left.

    `seconds_left` is None while nobody works, or nobody has worked yet.
    """
    store.write(bury_dead)
    with store.reading() as connection:
        datasets = [
            {
                **dataset_status(connection, found),
                "stale": _stale(connection, found),
                "calls": spent_calls(connection, found.id),
            }
            for found in all_datasets(connection)
        ]
        workers = all_workers(connection)
        paused = paused_at(connection)
        now = wall_seconds(connection)
    for one in datasets:
        one["backlog"] = {name: one["records"] - fresh for name, fresh in one["enriched"].items()}
    stale = sum(one["stale"] for one in datasets)
    return {
        "datasets": datasets,
        "workers": workers,
        "now": now,
        "paused_at": paused,
        "records_per_second": rate_of(workers, now),
        "seconds_left": seconds_left(stale, workers, now),
    }


def _stale(connection: Connection, found: Dataset) -> int:
    if not found.plan and found.spec.enrichers:
        # No worker has looked at it yet.
        return count_records(connection, found.id)
    return count_stale(connection, found.id, found.revision)


def rate_of(workers: list[dict[str, Any]], now: float) -> float:
    """Return how many records a second living workers do, their closed times counted in."""
    living = (one for one in workers if now - one["seen_at"] < SILENT_SECONDS)
    return float(sum(one["rate"] * one["open_share"] for one in living))


def seconds_left(stale: int, workers: list[dict[str, Any]], now: float) -> float | None:
    """Return how long the rest will take at the rate of late."""
    if not stale:
        return 0.0
    rate = rate_of(workers, now)
    return stale / rate if rate else None
