"""The workers that the store has seen."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, func, select, update

from db.store import tables
from db.store.dialect import boot_id, wall_seconds
from db.store.generation import raise_generation

from .call_quota import free_calls_of
from .chunk import free_chunks_of
from .gate_history import GateAverages, add_gate_averages

# A worker that has not been seen for so long does not count when chunks are planned.
SILENT_SECONDS = 120.0


def register_worker(connection: Connection) -> int:
    """Add this process to the store's workers; returns its id."""
    now = wall_seconds(connection)
    made = tables.worker.insert().values(
        host=_host(),
        process=_process(os.getpid()),
        started_at=now,
        seen_at=now,
        state="starting",
        since=now,
        reason="",
    )
    worker_id: int = connection.execute(made.returning(tables.worker.c.id)).scalar_one()
    return worker_id


@dataclass(frozen=True)
class WorkerReport:
    """What a worker says of itself: its gate's state since when and why, and how it gets on.

    `limits` are its gate's, as JSON; `means` what that has read of late, where that is news.
    """

    state: str
    since: float
    reason: str = ""
    records: int = 0
    rate: float = 0.0
    open_share: float = 0.0
    error: str | None = None
    error_at: float | None = None
    limits: str | None = None
    means: GateAverages | None = None


def record_heartbeat(connection: Connection, worker_id: int, report: WorkerReport) -> None:
    """Write what a worker says of itself, and that it lives."""
    now = wall_seconds(connection)
    # The worker's date may be another than the store's.
    behind = now - time.time()
    said = dataclasses.asdict(report)
    said["since"] += behind
    means = said.pop("means")
    if means is not None:
        add_gate_averages(connection, worker_id, now, means)
    if report.error_at is not None:
        said["error_at"] = report.error_at + behind
    connection.execute(
        update(tables.worker).where(tables.worker.c.id == worker_id).values(seen_at=now, **said)
    )


def local_worker_pids(connection: Connection) -> set[int]:
    """Return the process ids of this machine's workers, this one's too."""
    rows = connection.execute(
        select(tables.worker.c.process).where(tables.worker.c.host == _host())
    )
    return {_pid(process) for process in rows.scalars() if _is_alive(process)}


def remove_worker(connection: Connection, worker_id: int) -> None:
    """Remove a worker that ends; whatever it still held is free at once."""
    free_chunks_of(connection, worker_id)
    free_calls_of(connection, worker_id)
    connection.execute(delete(tables.reading).where(tables.reading.c.worker_id == worker_id))
    connection.execute(delete(tables.worker).where(tables.worker.c.id == worker_id))


def remove_dead_workers(connection: Connection) -> int:
    """Free what the dead workers of this machine held, without waiting for their leases."""
    local_worker_pids = connection.execute(
        select(tables.worker.c.id, tables.worker.c.process).where(tables.worker.c.host == _host())
    ).all()
    dead = [row.id for row in local_worker_pids if not _is_alive(row.process)]
    for worker_id in dead:
        remove_worker(connection, worker_id)
    if dead:
        # What they have finished they may not have lived to tell.
        raise_generation(connection)
    return len(dead)


def count_workers(connection: Connection) -> int:
    """Return how many workers were seen of late."""
    query = select(func.count()).where(
        tables.worker.c.seen_at > wall_seconds(connection) - SILENT_SECONDS
    )
    return connection.execute(query).scalar_one()


def _host() -> str:
    """Return what two processes must share for one to see whether the other lives.

    Containers may share the host's name and boot, but not its process ids.
    """
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {boot_id()} {namespace}"


def _process(pid: int) -> str:
    """Return a process's id and start time, since ids are used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return str(pid)
    after_name = stat[stat.rindex(")") + 2 :].split()
    state, start = after_name[0], after_name[19]
    return f"{pid} dead" if state in "ZX" else f"{pid} {start}"


def _pid(process: str) -> int:
    return int(process.split(maxsplit=1)[0])


def _is_alive(process: str) -> bool:
    pid = _pid(process)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _process(pid) == process


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    """A worker's row: its last report, when it was seen, on the store's clock."""

    id: int = 0
    host: str = ""
    started_at: float = 0.0
    seen_at: float = 0.0
    state: str = ""
    since: float = 0.0
    reason: str = ""
    records: int = 0
    rate: float = 0.0
    open_share: float = 0.0
    error: str | None = None
    error_at: float | None = None
    limits: str | None = None


def all_workers(connection: Connection) -> list[WorkerRow]:
    """Return each worker with its last report, by id."""
    columns = [tables.worker.c[name] for name in WorkerRow.__dataclass_fields__]
    rows = connection.execute(select(*columns).order_by(tables.worker.c.id)).mappings()
    return [WorkerRow(**{**row, "host": row["host"].split(" ", 1)[0]}) for row in rows]


def rate_of(workers: Sequence[WorkerRow], now: float) -> float:
    """Return how many records a second the living workers do, counting their closed times."""
    living = (worker for worker in workers if now - worker.seen_at < SILENT_SECONDS)
    return float(sum(worker.rate * worker.open_share for worker in living))


def seconds_left(stale: int, workers: Sequence[WorkerRow], now: float) -> float | None:
    """Return how long the stale records will take at that rate, None where no worker works."""
    if not stale:
        return 0.0
    rate = rate_of(workers, now)
    return stale / rate if rate else None
