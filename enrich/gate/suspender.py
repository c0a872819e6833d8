"""The process suspender: stops (SIGSTOP), continues or ends the processes that do heavy work."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from pathlib import Path


class ProcessSuspender:
    """The process groups that stop when the gate closes.

    It signals groups, not processes, so that the processes a child has started stop with it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[int, Path | None] = {}
        self._ended: set[int] = set()
        self._stopped_at: float | None = None
        self._stopped_seconds = 0.0

    def add(self, group: int, lock: Path | None = None) -> None:
        """Add a process group, stopped at once if the others are; never while it holds `lock`."""
        with self._lock:
            self._groups[group] = lock
            if self._stopped_at is not None:
                _stop(group, lock)

    def remove(self, group: int) -> bool:
        """Remove a process group; return True if `end` has ended it."""
        with self._lock:
            self._groups.pop(group, None)
            was_ended = group in self._ended
            self._ended.discard(group)
            return was_ended

    def stop(self) -> None:
        """Stop all groups; a further call stops those that held their lock before."""
        with self._lock:
            if self._stopped_at is None:
                self._stopped_at = time.monotonic()
            for group, lock in self._groups.items():
                _stop(group, lock)

    def release(self) -> None:
        """Continue all groups."""
        with self._lock:
            if self._stopped_at is not None:
                self._stopped_seconds += time.monotonic() - self._stopped_at
            self._stopped_at = None
            for group in self._groups:
                _signal(group, signal.SIGCONT)

    def end(self) -> None:
        """End all groups, which frees their memory."""
        with self._lock:
            for group in self._groups.keys() - self._ended:
                self._ended.add(group)
                _signal(group, signal.SIGKILL)

    @property
    def is_on(self) -> bool:
        """Whether processes are stopped."""
        return self._stopped_at is not None

    def stopped_for(self) -> float:
        """Return for how many seconds the groups have been stopped now, 0 while they run."""
        with self._lock:
            return 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at

    def stopped_seconds(self) -> float:
        """Return for how many seconds the groups have been stopped in all."""
        with self._lock:
            current = 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at
            return self._stopped_seconds + current


def _stop(group: int, lock: Path | None) -> None:
    """Stop a group unless it holds its lock, as it does in a transaction.

    A process stopped within a transaction would block every other writer of the store.
    """
    if lock is None:
        _signal(group, signal.SIGSTOP)
        return
    # If the lock is held or cannot be opened, the group runs on until the next call.
    with contextlib.suppress(OSError), lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _signal(group, signal.SIGSTOP)


def kill_group(group: int) -> None:
    """End a process group; do nothing if it is gone."""
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except OSError:
        # A process that has just started does not lead a group of its own yet.
        with contextlib.suppress(OSError):
            os.kill(group, number)
