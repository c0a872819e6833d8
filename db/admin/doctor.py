"""What is wrong with a set-up, and the mend of each: `python -m db doctor`."""

from __future__ import annotations

import resource
import select
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from db.errors import StoreError
from db.queue.quarantine import count_quarantined
from db.queue.worker import SILENT_SECONDS, all_workers
from db.records.dataset import Dataset, all_datasets
from db.records.model import active_model, model_name
from db.records.record import count_labels
from db.settings import Settings
from db.store.dialect import most_connections, wall_seconds
from db.store.engine import Store, check_schema, sqlite_file, where

Word = Literal["good", "warning", "fault"]

# A web process takes 10,000 connections; each is a descriptor.
WEB_DESCRIPTORS = 10_100
# Beside its threads' a web process has a writer's, a watcher's and a few more.
OTHER_CONNECTIONS = 4
WORKER_CONNECTIONS = 5
MOST_CLOCK_SECONDS = 2.0
LEAST_SQLITE = (3, 35)
# File systems on which several machines may be, where SQLite's shared memory is not shared.
NETWORK_DISKS = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Finding:
    """Something that was looked at, whether it is well, and what to do if not."""

    word: Word
    about: str
    says: str
    mend: str = ""


def examine(settings: Settings, store: Store) -> Iterator[Finding]:
    """Yield what there is to say of this machine, its settings, and the store."""
    yield _python()
    yield _descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield _poll(has_poll=hasattr(select, "poll"))
    yield from _keys(settings)
    file = sqlite_file(store)
    if file is not None:
        yield from _disk(file, settings.gate_disk_mib)
    try:
        check_schema(store)
    except StoreError as error:
        what, _, mend = str(error).rpartition("; ")
        yield Finding("fault", "store", what or str(error), mend)
        return
    yield Finding("good", "store", where(store))
    with store.reading() as connection:
        yield from _store(connection, settings)


def _store(connection: Connection, settings: Settings) -> Iterator[Finding]:
    now = wall_seconds(connection)
    yield _clock(now - time.time())
    workers = all_workers(connection)
    if (most := most_connections(connection)) is not None:
        yield _connections(settings, len(workers), most)
    found = all_datasets(connection)
    if not found:
        yield Finding(
            "fault", "datasets", "there are none", "python -m db load datasets/intents.toml"
        )
    for dataset in found:
        yield from _dataset(connection, dataset)
    yield _workers([now - float(str(one["seen_at"])) for one in workers])


def _dataset(connection: Connection, dataset: Dataset) -> Iterator[Finding]:
    about = f"dataset {dataset.name}"
    model = active_model(connection, dataset.id)
    if model is None:
        mend = f"python -m enrich train {dataset.name}"
        if not count_labels(connection, dataset.id):
            mend = f"python -m db import {dataset.name} FILE, with labels; then {mend}"
        yield Finding("fault", about, "has no model, so nothing can be predicted", mend)
    else:
        yield Finding("good", about, f"is answered by {model_name(dataset, model.version)}")
    if count := count_quarantined(connection, dataset.id):
        mend = f"python -m enrich quarantine list {dataset.name}"
        yield Finding("warning", about, f"{count:,} records are quarantined", mend)


def _python() -> Finding:
    sqlite = sqlite3.sqlite_version_info
    says = f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    if sys.version_info < (3, 11) or sqlite < LEAST_SQLITE:
        return Finding("fault", "versions", says, "install Python 3.11, which brings its SQLite")
    return Finding("good", "versions", says)


def _descriptors(most: int) -> Finding:
    says = f"a process may open {most:,} files"
    if most >= WEB_DESCRIPTORS:
        return Finding("good", "descriptors", says)
    mend = (
        f"ulimit -n {WEB_DESCRIPTORS} before python -m serve, for as many connections as it takes"
    )
    return Finding("warning", "descriptors", says, mend)


def _poll(*, has_poll: bool) -> Finding:
    if has_poll:
        return Finding("good", "poll", "is there")
    mend = "SERVER=granian, or put nginx in front"
    return Finding("warning", "poll", "is missing: waitress takes 1,000 connections at most", mend)


def _keys(settings: Settings) -> Iterator[Finding]:
    is_public = settings.host not in LOOPBACK
    if is_public and not settings.read_keys:
        mend = "set READ_KEYS, unless everybody may have predictions"
        yield Finding(
            "warning", "READ_KEYS", f"none, and {settings.host} is for all to reach", mend
        )
    if not settings.api_keys:
        mend = "set API_KEYS where records are to be added by POST /records/DATASET"
        word: Word = "warning" if is_public else "good"
        yield Finding(word, "API_KEYS", "none: nobody may add records over HTTP", mend)


def _disk(file: Path, least_mib: float) -> Iterator[Finding]:
    folder = file.absolute().parent
    kind = _disk_kind(folder, Path("/proc/mounts"))
    if kind in NETWORK_DISKS:
        mend = "keep it on a disk of this machine, or use PostgreSQL"
        says = f"{folder} is on {kind}, where SQLite's write-ahead log does not work"
        yield Finding("fault", "disk", says, mend)
    if not folder.exists():
        yield Finding("fault", "disk", f"{folder}: there is no such folder", f"mkdir -p {folder}")
        return
    free = shutil.disk_usage(folder).free / 2**20
    says = f"{free:,.0f} MiB are free on {folder}"
    if free < least_mib:
        mend = "make room: below GATE_DISK_MIB no worker works; python -m db prune drops old values"
        yield Finding("warning", "disk", says, mend)
    else:
        yield Finding("good", "disk", says)


def _disk_kind(folder: Path, mounts: Path) -> str:
    """Return the file system that a folder is on, "" where nothing tells."""
    try:
        rows = [line.split()[1:3] for line in mounts.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return ""
    above = {str(folder), *map(str, folder.parents)}
    # Of those above it the nearest; of those in one place the last, which hides the others.
    return max(((len(at), place, kind) for place, (at, kind) in enumerate(rows) if at in above),
               default=(0, 0, ""))[2]  # fmt: skip


def _clock(ahead_seconds: float) -> Finding:
    if abs(ahead_seconds) <= MOST_CLOCK_SECONDS:
        return Finding("good", "clock", "is the store's")
    says = (
        f"is {abs(ahead_seconds):.0f} s {'behind' if ahead_seconds > 0 else 'ahead of'} the store's"
    )
    return Finding(
        "warning", "clock", says, "let both machines keep time: timedatectl set-ntp true"
    )


def _connections(settings: Settings, workers: int, most: int) -> Finding:
    web = settings.web_concurrency * (settings.web_threads + OTHER_CONNECTIONS)
    wanted = web + workers * WORKER_CONNECTIONS
    says = f"a machine like this wants up to {wanted}, the store gives {most}"
    if wanted <= most:
        return Finding("good", "connections", says)
    mend = (
        "fewer WEB_THREADS or WEB_CONCURRENCY, more max_connections, or PgBouncer in session mode"
    )
    return Finding("fault", "connections", says, mend)


def _workers(ages_seconds: list[float]) -> Finding:
    silent = sum(age > SILENT_SECONDS for age in ages_seconds)
    if len(ages_seconds) > silent:
        return Finding("good", "workers", f"{len(ages_seconds) - silent} are at it")
    if silent:
        says = f"{silent} were there, and have said nothing for {min(ages_seconds) / 60:.0f} min"
        return Finding("warning", "workers", says, "start it again: python -m enrich run")
    says = "there are none: inputs never seen stay the student's"
    return Finding("warning", "workers", says, "python -m enrich run, here or on another machine")
