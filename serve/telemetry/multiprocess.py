"""Metrics of all web processes, shared through a folder with one file per process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from .counters import Counts, total

# The file with the summed counts of processes that have ended.
GONE = "gone"


class ProcessMetrics(msgspec.Struct):
    """The metrics that one process publishes."""

    counts: Counts = msgspec.field(default_factory=Counts)
    # Current values by name, added up over the processes.
    amounts: dict[str, float] = msgspec.field(default_factory=dict)
    # Current values by name, of which the smallest of all processes is reported.
    levels: dict[str, float] = msgspec.field(default_factory=dict)
    # The active model of each dataset.
    models: dict[str, str] = msgspec.field(default_factory=dict)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ProcessMetrics).decode


class MultiprocessMetrics:
    """Writes this process's metrics to the shared folder, and reads those of all processes.

    A process writes to a file named by its process id. Without a folder it is the only process.
    """

    def __init__(self, folder: Path | None, read: Callable[[], ProcessMetrics]) -> None:
        self._folder = folder
        self._read = read
        self._published = b""

    def publish(self) -> None:
        """Write this process's metrics to the folder if they have changed."""
        if self._folder is not None:
            self._publish(self._folder, self._read())

    def _publish(self, folder: Path, metrics: ProcessMetrics) -> None:
        data, name = _encode(metrics), str(os.getpid())
        is_published = data == self._published and (folder / name).exists()
        if not is_published and _write_file(folder, name, data):
            self._published = data

    def read_all(self) -> list[ProcessMetrics]:
        """Return the metrics of all processes; those of other processes are up to a second old."""
        mine = self._read()
        if self._folder is None:
            return [mine]
        # Otherwise the next scrape, answered by another process, could return smaller counts.
        self._publish(self._folder, mine)
        with _locked(self._folder, fcntl.LOCK_SH):
            others = [it for name, it in _read_files(self._folder) if name != str(os.getpid())]
        return [mine, *others]

    def pids(self) -> list[int]:
        """Return the ids of this process and of all processes that have published metrics."""
        others = [] if self._folder is None else _files(self._folder)
        return sorted({os.getpid(), *(int(path.name) for path in others if path.name != GONE)})


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Lock the folder, so that a process that has just ended is counted exactly once."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock.file", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        # On a full disk some metrics are wrong for a moment; nothing else is affected.
        yield
        return
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _files(folder: Path) -> list[Path]:
    """Return the published files, without the lock and half-written files, which have a suffix."""
    return sorted(path for path in folder.glob("*") if not path.suffix)


def _read_files(folder: Path) -> Iterator[tuple[str, ProcessMetrics]]:
    for path in _files(folder):
        try:
            yield path.name, _decode(path.read_bytes())
        except (OSError, msgspec.DecodeError):
            # The process has just ended.
            continue


def mark_process_dead(folder: Path, pid: int) -> None:
    """Move the counts of an ended process into the file GONE, so that totals never fall."""
    with _locked(folder, fcntl.LOCK_EX):
        parts = {name: it.counts for name, it in _read_files(folder) if name in {GONE, str(pid)}}
        if str(pid) not in parts:
            return
        gone = ProcessMetrics(total(parts.values()))
        if _write_file(folder, GONE, _encode(gone)):
            (folder / str(pid)).unlink(missing_ok=True)


def _write_file(folder: Path, name: str, data: bytes) -> bool:
    """Write a file atomically; return False if there is no space for it."""
    new = folder / f"{name}.new"
    try:
        # A cleaner of temporary files may have deleted the folder.
        folder.mkdir(mode=0o700, exist_ok=True)
        new.write_bytes(data)
        new.replace(folder / name)
    except OSError:
        # On a full disk the metrics become outdated; predictions are not affected.
        return False
    return True
