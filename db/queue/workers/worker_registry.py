"""The workers that are registered in the store."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, delete, exists, func, select, update

from db.queue.call_quota import release_calls
from db.queue.chunk import release_chunks
from db.scoring.library_versions import Versions, encode_versions, library_versions
from db.store import tables
from db.store.direct.clock import boot_id, wall_seconds
from db.store.generation import raise_generation

from .gate_history import GateAverages, add_gate_averages
from .worker_row import SILENT_SECONDS


def register_worker(connection: Connection) -> int:
    """Register this process as a worker; return its id."""
    now = wall_seconds(connection)
    new = tables.worker.insert().values(
        host=_host(),
        process=_process(os.getpid()),
        started_at=now,
        seen_at=now,
        state="starting",
        since=now,
        reason="",
        libraries=encode_versions(library_versions()),
    )
    worker_id: int = connection.execute(new.returning(tables.worker.c.id)).scalar_one()
    return worker_id


@dataclass(frozen=True)
class WorkerReport:
    """The content of a heartbeat: the state of the gate, and what the worker has done.

    `limits` are the gate's limits as JSON. `means` are the gate's latest averages, None if there
    are no new ones.
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
    """Write a worker's report and the time at which it was seen."""
    now = wall_seconds(connection)
    # The worker's clock may differ from the store's.
    clock_offset = now - time.time()
    values = dataclasses.asdict(report)
    values["since"] += clock_offset
    means = values.pop("means")
    if means is not None:
        add_gate_averages(connection, worker_id, now, means)
    if report.error_at is not None:
        values["error_at"] = report.error_at + clock_offset
    connection.execute(
        update(tables.worker).where(tables.worker.c.id == worker_id).values(seen_at=now, **values)
    )


def local_worker_pids(connection: Connection) -> set[int]:
    """Return the process ids of the living workers on this machine, including this process."""
    rows = connection.execute(
        select(tables.worker.c.process).where(tables.worker.c.host == _host())
    )
    return {_pid(process) for process in rows.scalars() if _is_alive(process)}


def remove_worker(connection: Connection, worker_id: int) -> None:
    """Remove a worker that has ended, and release its chunks and calls."""
    release_chunks(connection, worker_id)
    release_calls(connection, worker_id)
    connection.execute(delete(tables.reading).where(tables.reading.c.worker_id == worker_id))
    connection.execute(delete(tables.worker).where(tables.worker.c.id == worker_id))


def remove_dead_workers(connection: Connection) -> int:
    """Remove this machine's dead workers, without waiting for their leases; return how many."""
    local_workers = connection.execute(
        select(tables.worker.c.id, tables.worker.c.process).where(tables.worker.c.host == _host())
    ).all()
    dead = [row.id for row in local_workers if not _is_alive(row.process)]
    for worker_id in dead:
        remove_worker(connection, worker_id)
    if dead:
        # A worker may have died between finishing a chunk and raising the generation.
        raise_generation(connection)
    return len(dead)


def is_living(seen_at: ColumnElement[float], now: float) -> ColumnElement[bool]:
    """Return the condition that a worker is alive, which `WorkerRow.lives` states too."""
    return seen_at.between(now - SILENT_SECONDS, now + SILENT_SECONDS)


def count_workers(connection: Connection) -> int:
    """Return how many workers are alive."""
    query = select(func.count()).where(is_living(tables.worker.c.seen_at, wall_seconds(connection)))
    return connection.execute(query).scalar_one()


def has_worker_with(connection: Connection, versions: Versions) -> bool:
    """Return whether a living worker has these versions of its libraries; none: unknown ones."""
    libraries = encode_versions(versions) if versions else None
    living = is_living(tables.worker.c.seen_at, wall_seconds(connection))
    # The condition on NULL finds workers of earlier code.
    same = tables.worker.c.libraries.is_not_distinct_from(libraries)
    return bool(connection.execute(select(exists().where(living, same))).scalar_one())


def _host() -> str:
    """Identify the machine: host name, boot and process namespace.

    Two processes with the same value can check each other's process ids. Containers may share
    the host's name and boot id, but not its process ids.
    """
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {boot_id()} {namespace}"


def _process(pid: int) -> str:
    """Return a process's id and start time; ids are reused, so the id alone is not enough."""
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
