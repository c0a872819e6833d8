"""The checks of `python -m db doctor`: what is wrong with a setup, and what to do about it."""

from __future__ import annotations

import resource
import select
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection

from db.errors import StoreError
from db.queue.fault import SPEC, Fault, all_faults
from db.queue.quarantine import count_quarantined
from db.queue.workers.worker_row import WorkerRow, all_workers
from db.records.dataset import Dataset, read_datasets
from db.records.models.trained_model import active_model, model_name
from db.records.observation import count_labels
from db.settings import Settings
from db.store.dialect import connection_limit
from db.store.direct.clock import wall_seconds
from db.store.schema_version import encoding_problem
from db.store.store import Store, check_schema, describe_store, sqlite_file

from .dataset_needs import check_needs
from .file_access import check_file_access
from .finding import Finding, Level, fault
from .worker_condition import condition_of

# A web process accepts 10,000 connections, each of which needs a file descriptor.
WEB_DESCRIPTORS = 10_100
# Besides one connection per thread, a web process needs some for background writes and polling.
OTHER_CONNECTIONS = 4
WORKER_CONNECTIONS = 5
MAX_CLOCK_SECONDS = 2.0
MIN_SQLITE = (3, 35)
# File systems that several machines can mount; SQLite's shared memory works on one machine only.
NETWORK_DISKS = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"}
MOVE_ENCODING = "then move the store there with python -m db backup and restore"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def examine(settings: Settings, store: Store) -> Iterator[Finding]:
    """Check this machine, the settings and the store; yield a finding for each check.

    The store is not examined further if it cannot be opened.
    """
    yield _check_versions()
    yield _check_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield _check_poll(has_poll=hasattr(select, "poll"))
    yield from _check_keys(settings)
    file = sqlite_file(store)
    if file is not None:
        yield from _check_disk(file, settings.gate_disk_mib)
        yield from check_file_access(file)
    try:
        check_schema(store)
    except StoreError as error:
        yield fault("store", error)
        return
    yield Finding("good", "store", describe_store(store))
    with store.reading() as connection:
        yield from _check_store(connection, settings)


def _check_store(connection: Connection, settings: Settings) -> Iterator[Finding]:
    now = wall_seconds(connection)
    yield _check_clock(now - time.time())
    if problem := encoding_problem(connection):
        yield Finding("warning", "store", problem, MOVE_ENCODING)
    workers = all_workers(connection)
    if (allowed := connection_limit(connection)) is not None:
        yield _check_connections(settings, len(workers), allowed)
    datasets, damaged = read_datasets(connection)
    if not datasets and not damaged:
        yield Finding(
            "fault", "datasets", "none is registered", "python -m db load datasets/intents.toml"
        )
    for dataset in datasets:
        yield from _check_dataset(connection, dataset)
        yield from check_needs(dataset.spec)
    faults = all_faults(connection)
    yield from map(_fault_of, faults)
    yield _check_workers(workers, faults, now)


def _check_dataset(connection: Connection, dataset: Dataset) -> Iterator[Finding]:
    subject = f"dataset {dataset.name}"
    model = active_model(connection, dataset.id)
    if model is None:
        remedy = f"python -m enrich train {dataset.name}"
        if not count_labels(connection, dataset.id):
            remedy = f"import labelled rows: python -m db import {dataset.name} FILE; then {remedy}"
        yield Finding("fault", subject, "has no model, so nothing can be predicted", remedy)
    else:
        yield Finding("good", subject, f"uses the model {model_name(dataset, model.version)}")
    if count := count_quarantined(connection, dataset.id):
        remedy = f"python -m enrich quarantine list {dataset.name}"
        yield Finding("warning", subject, f"quarantined records: {count:,}", remedy)


def _check_versions() -> Finding:
    sqlite = sqlite3.sqlite_version_info
    message = f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    if sys.version_info < (3, 11) or sqlite < MIN_SQLITE:
        remedy = "install Python 3.11, which includes a recent SQLite"
        return Finding("fault", "versions", message, remedy)
    return Finding("good", "versions", message)


def _check_descriptors(limit: int) -> Finding:
    message = f"a process may open {limit:,} files"
    if limit >= WEB_DESCRIPTORS:
        return Finding("good", "descriptors", message)
    remedy = f"run ulimit -n {WEB_DESCRIPTORS} before python -m serve, to allow 10,000 connections"
    return Finding("warning", "descriptors", message, remedy)


def _check_poll(*, has_poll: bool) -> Finding:
    if has_poll:
        return Finding("good", "poll", "is available")
    message = "is not available: waitress accepts at most 1,000 connections"
    return Finding("warning", "poll", message, "set SERVER=granian, or put nginx in front")


def _check_keys(settings: Settings) -> Iterator[Finding]:
    has_proxy = bool(settings.allowed_hosts or settings.trusted_proxies)
    is_public = has_proxy or settings.host not in LOOPBACK
    if is_public and not settings.read_keys:
        message = f"is not set, and other machines can reach HOST={settings.host}"
        remedy = "set READ_KEYS, unless predictions may be public"
        yield Finding("warning", "READ_KEYS", message, remedy)
    if not settings.api_keys:
        level: Level = "warning" if is_public else "good"
        message = "is not set, so nobody can add records over HTTP"
        remedy = "set API_KEYS to allow POST /records/DATASET"
        yield Finding(level, "API_KEYS", message, remedy)


def _check_disk(file: Path, min_free_mib: float) -> Iterator[Finding]:
    folder = file.absolute().parent
    kind = _disk_kind(folder, Path("/proc/mounts"))
    if kind in NETWORK_DISKS:
        message = f"{folder} is on {kind}, where SQLite's write-ahead log does not work"
        remedy = "move the store to a local disk, or use PostgreSQL"
        yield Finding("fault", "disk", message, remedy)
    if not folder.exists():
        yield Finding("fault", "disk", f"{folder} does not exist", f"mkdir -p {folder}")
        return
    free_mib = shutil.disk_usage(folder).free / 2**20
    message = f"{free_mib:,.0f} MiB free in {folder}"
    if free_mib < min_free_mib:
        remedy = (
            "free some space, since workers wait below GATE_DISK_MIB;"
            " python -m db prune deletes old data"
        )
        yield Finding("warning", "disk", message, remedy)
    else:
        yield Finding("good", "disk", message)


def _disk_kind(folder: Path, mounts: Path) -> str:
    """Return the type of the file system that holds a folder, or "" if it is unknown."""
    try:
        rows = [line.split()[1:3] for line in mounts.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return ""
    above = {str(folder), *map(str, folder.parents)}
    # The deepest mount point counts. If it was mounted twice, the later mount hides the earlier.
    return max(((len(at), order, kind) for order, (at, kind) in enumerate(rows) if at in above),
               default=(0, 0, ""))[2]  # fmt: skip


def _check_clock(ahead_seconds: float) -> Finding:
    """Check by how many seconds the store's clock is ahead of this machine's."""
    if abs(ahead_seconds) <= MAX_CLOCK_SECONDS:
        return Finding("good", "clock", "agrees with the store's clock")
    direction = "behind" if ahead_seconds > 0 else "ahead of"
    message = f"is {abs(ahead_seconds):.0f} s {direction} the store's clock"
    remedy = "synchronise the clocks of both machines: timedatectl set-ntp true"
    return Finding("warning", "clock", message, remedy)


def _check_connections(settings: Settings, workers: int, allowed: int) -> Finding:
    web = settings.web_concurrency * (settings.web_threads + OTHER_CONNECTIONS)
    needed = web + workers * WORKER_CONNECTIONS
    message = (
        f"the web processes of one machine and all workers need up to {needed},"
        f" the store allows {allowed}"
    )
    if needed <= allowed:
        return Finding("good", "connections", message)
    remedy = (
        "lower WEB_THREADS or WEB_CONCURRENCY, raise PostgreSQL's max_connections,"
        " or put PgBouncer before it"
    )
    return Finding("fault", "connections", message, remedy)


def _fault_of(fault: Fault) -> Finding:
    """Return the finding of a part of a dataset that is stopped."""
    subject = f"{fault.subject} of {fault.dataset}"
    message, mark, remedy = fault.reason.rpartition("; ")
    if fault.subject == SPEC and mark:
        return Finding("fault", subject, message, remedy)
    remedy = "correct what it says; workers try again by themselves: python -m enrich status"
    return Finding("fault", subject, f"is stopped: {fault.reason}", remedy)


def _check_workers(workers: Sequence[WorkerRow], faults: Sequence[Fault], now: float) -> Finding:
    """Check which workers are alive, and whether they do their work."""
    running = [worker for worker in workers if worker.lives(now)]
    if running:
        return _check_running(running, faults, now)
    if workers:
        silent_seconds = min(abs(now - worker.seen_at) for worker in workers)
        message = f"none is running; the last heartbeat was {silent_seconds / 60:.0f} min ago"
        return Finding("warning", "workers", message, "start a worker: python -m enrich run")
    message = "none is registered, so new inputs keep the student's prediction"
    remedy = "start a worker here or on another machine: python -m enrich run"
    return Finding("warning", "workers", message, remedy)


def _check_running(workers: Sequence[WorkerRow], faults: Sequence[Fault], now: float) -> Finding:
    """Report the first of the running workers that fails, or else the first that is silent."""
    conditions = [(worker, condition_of(worker, faults, now)) for worker in workers]
    bad = [(worker, condition) for worker, condition in conditions if condition.is_bad]
    if not bad:
        return Finding("good", "workers", f"running: {len(workers)}")
    worker, worst = min(bad, key=lambda one: one[1].state != "failing")
    message = f"running: {len(workers)}; worker {worker.id} is {worst.state}: {worst.reason}"
    return Finding(
        "fault" if worst.state == "failing" else "warning", "workers", message, worst.remedy
    )
