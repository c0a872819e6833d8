"""The status of enrichment: the datasets with their backlog, the workers, and the time left."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import Connection

from db.admin.store_status import dataset_status
from db.queue.call_quota import spent_calls
from db.queue.failed_run import Run, unrepaired_runs
from db.queue.fault import Fault, all_faults
from db.queue.meter import spent_tokens
from db.queue.workers.pause import paused_at
from db.queue.workers.worker_registry import remove_dead_workers
from db.queue.workers.worker_row import all_workers, records_per_second, seconds_left
from db.records.dataset import Dataset, all_datasets
from db.records.record import count_records, count_stale
from db.store.direct.clock import wall_seconds
from db.store.store import Store
from enrich.enrichers.llm.price import token_cost


def worker_status(store: Store) -> dict[str, Any]:
    """Return what `enrich status` reports, by name.

    `seconds_left` is None while no worker runs or none has enriched a record yet.
    """
    store.write(remove_dead_workers)
    with store.reading() as connection:
        datasets = [
            {
                **dataset_status(connection, dataset),
                "stale": count_stale_records(connection, dataset),
                "calls": spent_calls(connection, dataset.id),
                "tokens": _tokens(connection, dataset),
            }
            for dataset in all_datasets(connection)
        ]
        failures = [_failure(run) for run in unrepaired_runs(connection)]
        faults = all_faults(connection)
        workers = all_workers(connection)
        paused = paused_at(connection)
        now = wall_seconds(connection)
    for dataset in datasets:
        records = dataset["records"]
        dataset["backlog"] = {name: records - fresh for name, fresh in dataset["enriched"].items()}
    stale = sum(dataset["stale"] for dataset in datasets)
    return {
        "datasets": datasets,
        "failures": failures,
        "faults": [_fault(one, now) for one in faults],
        "workers": workers,
        "now": now,
        "paused_at": paused,
        "records_per_second": records_per_second(workers, now),
        "seconds_left": seconds_left(stale, workers, now),
    }


def _failure(run: Run) -> dict[str, Any]:
    return {
        "dataset": run.dataset,
        "command": run.command,
        "ended_at": run.ended_at,
        "reason": run.reason,
    }


def _fault(fault: Fault, now: float) -> dict[str, Any]:
    return {**dataclasses.asdict(fault), "seconds_left": fault.seconds_left(now)}


def _tokens(connection: Connection, dataset: Dataset) -> dict[str, dict[str, float | None]]:
    """Return the tokens of each language model that was called, and their cost if it has prices."""
    enrichers = dataset.spec.enrichers
    return {
        name: {**used._asdict(), "cost": token_cost(used, enrichers[name].config)}
        for name, used in spent_tokens(connection, dataset.id).items()
        if name in enrichers and (enrichers[name].use or name) == "llm"
    }


def count_stale_records(connection: Connection, dataset: Dataset) -> int:
    """Return how many records of a dataset are stale: all of them while it has no plan."""
    if not dataset.plan and dataset.spec.enrichers:
        # No worker has made the plan yet.
        return count_records(connection, dataset.id)
    return count_stale(connection, dataset.id, dataset.revision)
