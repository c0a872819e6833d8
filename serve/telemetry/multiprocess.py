"""The board: where each web process leaves its figures, so that any can tell those of all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from .counters import Counts, total

GONE = "gone"


class ProcessMetrics(msgspec.Struct):
    """What one process says of itself."""

    counts: Counts = msgspec.field(default_factory=Counts)
    # As they are now, by name; added up over the processes.
    amounts: dict[str, float] = msgspec.field(default_factory=dict)
    # The least of all processes' is told.
    levels: dict[str, float] = msgspec.field(default_factory=dict)
    # The active model of each dataset.
    models: dict[str, str] = msgspec.field(default_factory=dict)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ProcessMetrics).decode


class MultiprocessMetrics:
    """A folder with a file a process, named by its id; without a folder there is one process."""

    def __init__(self, folder: Path | None, read: Callable[[], ProcessMetrics]) -> None:
        self._folder = folder
        self._read = read
        self._last = b""

    def publish(self) -> None:
        """Leave this process's figures, where they have changed."""
        if self._folder is not None:
            self._leave(self._folder, self._read())

    def _leave(self, folder: Path, figures: ProcessMetrics) -> None:
        packed, name = _encode(figures), str(os.getpid())
        is_told = packed == self._last and (folder / name).exists()
        if not is_told and _put(folder, name, packed):
            self._last = packed

    def read_all(self) -> list[ProcessMetrics]:
        """Return every process's figures: of this one as of now, of others a second old."""
        mine = self._read()
        if self._folder is None:
            return [mine]
        # Or the next one who is asked would tell of less than this one.
        self._leave(self._folder, mine)
        with _locked(self._folder, fcntl.LOCK_SH):
            return [mine, *(it for name, it in _all(self._folder) if name != str(os.getpid()))]

    def pids(self) -> list[int]:
        """Return the processes that have left figures, and this one."""
        others = [] if self._folder is None else _files(self._folder)
        return sorted({os.getpid(), *(int(path.name) for path in others if path.name != GONE)})


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Keep a process from being counted twice, or not at all, while it is buried."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock.file", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        # On a full disk some figures are wrong for a moment; nothing else is.
        yield
        return
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _files(folder: Path) -> list[Path]:
    """Return what has been left; a lock, and what is being written, have a suffix."""
    return sorted(path for path in folder.glob("*") if not path.suffix)


def _all(folder: Path) -> Iterator[tuple[str, ProcessMetrics]]:
    for path in _files(folder):
        try:
            yield path.name, _decode(path.read_bytes())
        except (OSError, msgspec.DecodeError):
            # It has just ended.
            continue


def mark_process_dead(folder: Path, pid: int) -> None:
    """Add what a process has counted to what others counted that are gone: counts only rise."""
    with _locked(folder, fcntl.LOCK_EX):
        parts = {name: one.counts for name, one in _all(folder) if name in {GONE, str(pid)}}
        if str(pid) in parts and _put(folder, GONE, _encode(ProcessMetrics(total(parts.values())))):
            (folder / str(pid)).unlink(missing_ok=True)


def _put(folder: Path, name: str, packed: bytes) -> bool:
    """Write a file that is never seen half written; returns whether there was room."""
    new = folder / f"{name}.new"
    try:
        # Whoever cleans up old temporary files may have taken it away.
        folder.mkdir(mode=0o700, exist_ok=True)
        new.write_bytes(packed)
        new.replace(folder / name)
    except OSError:
        # On a full disk the figures grow old; the answers do not.
        return False
    return True
