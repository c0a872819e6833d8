"""Tests of the store of a subcommand, whose process may be stopped at any moment."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from db.queue.workers.worker_registry import register_worker
from db.queue.workers.worker_row import all_workers
from db.store.store import Store
from enrich.worker.subcommand import YieldingStore, uninterrupted
from tests.processes import PATIENCE_SECONDS


def try_to_stop(lock: Path) -> None:
    """Take the lock as the worker does before it stops a subcommand."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_heartbeat_writes_while_a_long_query_is_read(store: Store, tmp_path: Path) -> None:
    """Otherwise other workers would take the subcommand for dead after two minutes."""
    lock = tmp_path / "lock"
    yielding = YieldingStore(store.writer, store.reader, store.sessions, lock)
    writing = threading.Thread(target=yielding.write, args=(register_worker,), daemon=True)
    with uninterrupted(lock):
        writing.start()
        writing.join(PATIENCE_SECONDS / 10)
        assert not writing.is_alive()
        with pytest.raises(BlockingIOError):
            try_to_stop(lock)
    try_to_stop(lock)
    with store.reading() as connection:
        assert len(all_workers(connection)) == 1
