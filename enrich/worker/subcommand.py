"""Subcommands: heavy commands such as `enrich train`, each in a process that yields."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from db.store.store import Store
from enrich.executors.child import end_with_parent, yield_to_others
from enrich.gate.suspender import ProcessSuspender, kill_group

POLL_SECONDS = 0.2
TERMINATE_SECONDS = 3.0


class Subcommands:
    """Runs commands one at a time; the gate suspends them as it does the compute child."""

    def __init__(
        self, suspender: ProcessSuspender, stop: threading.Event, suspend_seconds: float
    ) -> None:
        self._suspender = suspender
        self._stop = stop
        self._suspend_seconds = suspend_seconds

    def run(self, *arguments: str) -> bool | None:
        """Run `python -m enrich …`; return whether it succeeded, None where the worker ended it."""
        return self.run_while(lambda: True, *arguments)

    def run_while(self, is_wanted: Callable[[], bool], *arguments: str) -> bool | None:
        """Run a command as `run` does, and end it as soon as `is_wanted` returns False."""
        with tempfile.NamedTemporaryFile(prefix="veilleuse-") as lock:
            command = [sys.executable, "-m", "enrich", *arguments, "--lock", lock.name]
            with subprocess.Popen(command, process_group=0) as running:  # noqa: S603
                self._suspender.add(running.pid, Path(lock.name))
                was_ended = self._wait(running, is_wanted)
                was_ended = self._suspender.remove(running.pid) or was_ended
                if running.poll() is None:
                    _end(running)
        return None if was_ended else running.returncode == 0

    def _wait(self, running: subprocess.Popen[bytes], is_wanted: Callable[[], bool]) -> bool:
        """Wait for the process to end; return whether it has to be ended instead."""
        while running.poll() is None:
            too_long = self._suspender.stopped_for() > self._suspend_seconds
            if self._stop.wait(POLL_SECONDS) or too_long or not is_wanted():
                return True
        return False


def run_subcommand(*arguments: str) -> bool:
    """Run `python -m enrich …` to its end; return whether it succeeded."""
    command = [sys.executable, "-m", "enrich", *arguments]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)  # noqa: S603
    return done.returncode == 0


def _end(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    # A stopped process handles the signal once it is continued.
    os.killpg(running.pid, signal.SIGCONT)
    try:
        running.wait(TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        kill_group(running.pid)
        running.wait()


@dataclass(frozen=True)
class YieldingStore(Store):
    """A store for a process that may be stopped at any moment, except in a transaction."""

    lock: Path = Path(os.devnull)

    def writing(self) -> AbstractContextManager[Connection]:
        """Begin a transaction, holding the lock that keeps the process from being stopped."""
        return self._writing()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with uninterrupted(self.lock), self.writer.begin() as connection:
            yield connection


@contextmanager
def uninterrupted(lock: Path | None) -> Iterator[None]:
    """Hold the lock of a subcommand, within which its process is not stopped.

    The threads of a process share it: the heartbeat goes on while a long query is read.
    """
    if lock is None:
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def yielding(store: Store, lock: Path | None) -> Store:
    """Return the store for a subcommand, whose process then ends with its worker."""
    if lock is None:
        return store
    end_with_parent(os.getppid())
    yield_to_others()
    return YieldingStore(store.writer, store.reader, store.sessions, lock)
