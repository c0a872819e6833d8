"""Wait until workers have answered the records of a dataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from db.errors import VeilleuseError
from db.queue.workers.worker_registry import count_workers
from db.queue.workers.worker_row import all_workers
from db.records.dataset import find_dataset
from db.records.record import count_stale
from db.store.store import Store

POLL_SECONDS = 1.0
# For so long a worker may be starting, or be restarted.
WORKER_SECONDS = 30.0


@dataclass(frozen=True)
class Backlog:
    """How many records wait for workers, how many workers live, and what one of them reports."""

    waiting: int
    workers: int
    report: str


def read_backlog(connection: Connection, name: str) -> Backlog:
    """Return a dataset's backlog; records in quarantine do not wait."""
    dataset = find_dataset(connection, name)
    # Before the first worker has planned, the records and the dataset have the same revision.
    waiting = count_stale(connection, dataset.id, max(dataset.revision, 1))
    reports = [worker.reason or worker.state for worker in all_workers(connection)]
    return Backlog(waiting, count_workers(connection), reports[0] if reports else "")


def wait_for_teacher(
    store: Store,
    name: str,
    note: Callable[[str], None],
    progress: Callable[[Backlog], None],
    worker_seconds: float = WORKER_SECONDS,
) -> None:
    """Return when no record of a dataset waits for a worker.

    Without a worker, `note` says at once what to run; raises VeilleuseError if none appears within
    `worker_seconds`.
    """
    alone_since: float | None = None
    while (backlog := _read(store, name)).waiting:
        now = time.monotonic()
        if backlog.workers:
            alone_since = None
        elif alone_since is None:
            alone_since = now
            note(f"{_no_worker(backlog, name)}; waiting {worker_seconds:.0f} s for a worker")
        if alone_since is not None and now - alone_since >= worker_seconds:
            raise VeilleuseError(f"{_no_worker(backlog, name)}, and then this command again")
        progress(backlog)
        time.sleep(POLL_SECONDS)


def _read(store: Store, name: str) -> Backlog:
    with store.reading() as connection:
        return read_backlog(connection, name)


def _no_worker(backlog: Backlog, name: str) -> str:
    return (
        f"{backlog.waiting:,} records of {name} wait for the teacher, and no worker is running;"
        f" run: python -m enrich once {name} (or python -m enrich run)"
    )
