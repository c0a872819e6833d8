"""The outlook: how far enrichment has come, who works at it, and when it will be done."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from db.admin.status import dataset_status
from db.queue.call_quota import spent_calls
from db.queue.pause import paused_at
from db.queue.worker import all_workers, rate_of, remove_dead_workers, seconds_left
from db.records.dataset import Dataset, all_datasets
from db.records.record import count_records, count_stale
from db.store.dialect import wall_seconds
from db.store.engine import Store


def worker_status(store: Store) -> dict[str, Any]:
    """Return what `status` tells: datasets with their backlog, workers, and the time left.

    `seconds_left` is None while nobody works, or nobody has worked yet.
    """
    store.write(remove_dead_workers)
    with store.reading() as connection:
        datasets = [
            {
                **dataset_status(connection, dataset),
                "stale": _stale(connection, dataset),
                "calls": spent_calls(connection, dataset.id),
            }
            for dataset in all_datasets(connection)
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


def _stale(connection: Connection, dataset: Dataset) -> int:
    if not dataset.plan and dataset.spec.enrichers:
        # No worker has looked at it yet.
        return count_records(connection, dataset.id)
    return count_stale(connection, dataset.id, dataset.revision)
