"""The brake: stops the processes that do heavy work, lets them go on, or ends them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from pathlib import Path


class ProcessSuspender:
    """The process groups that must stop when the gate closes.

    Groups, not processes: what a child has started stops with it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[int, Path | None] = {}
        self._ended: set[int] = set()
        self._stopped_at: float | None = None
        self._stopped_seconds = 0.0

    def add(self, group: int, lock: Path | None = None) -> None:
        """Mind one more process group; while it holds the lock it is not stopped."""
        with self._lock:
            self._groups[group] = lock
            if self._stopped_at is not None:
                _stop(group, lock)

    def remove(self, group: int) -> bool:
        """Mind it no longer; returns whether it was the brake that ended it."""
        with self._lock:
            self._groups.pop(group, None)
            was_ended = group in self._ended
            self._ended.discard(group)
            return was_ended

    def stop(self) -> None:
        """Let no process run on; called again it finds those that held their lock before."""
        with self._lock:
            if self._stopped_at is None:
                self._stopped_at = time.monotonic()
            for group, lock in self._groups.items():
                _stop(group, lock)

    def release(self) -> None:
        """Let them go on."""
        with self._lock:
            if self._stopped_at is not None:
                self._stopped_seconds += time.monotonic() - self._stopped_at
            self._stopped_at = None
            for group in self._groups:
                _signal(group, signal.SIGCONT)

    def end(self) -> None:
        """End them, to give their memory back."""
        with self._lock:
            for group in self._groups.keys() - self._ended:
                self._ended.add(group)
                _signal(group, signal.SIGKILL)

    @property
    def is_on(self) -> bool:
        """Whether processes are stopped."""
        return self._stopped_at is not None

    def stopped_for(self) -> float:
        """Return for how many seconds processes have been stopped without a break."""
        with self._lock:
            return 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at

    def stopped_seconds(self) -> float:
        """Return for how many seconds processes have been stopped in all."""
        with self._lock:
            now = 0.0 if self._stopped_at is None else time.monotonic() - self._stopped_at
            return self._stopped_seconds + now


def _stop(group: int, lock: Path | None) -> None:
    """Stop a group, but never within a transaction: it would keep everybody from writing."""
    if lock is None:
        _signal(group, signal.SIGSTOP)
        return
    # Held by its transaction, or not to be had at all: then it is stopped the next time, if ever.
    with contextlib.suppress(OSError), lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _signal(group, signal.SIGSTOP)


def kill_group(group: int) -> None:
    """End a process and all of its group, if there are any left."""
    _signal(group, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except OSError:
        # One that has just started is not the head of its group yet.
        with contextlib.suppress(OSError):
            os.kill(group, number)
