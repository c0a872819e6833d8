"""Processes that work on the parts of a file, whose results come in the order of the parts."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar

from db.errors import VeilleuseError
from db.interrupts import interrupts_later

# More of them would wait for this process, which reads and writes.
MOST_JOBS = 8
_END_SECONDS = 5.0

Kept = TypeVar("Kept")
Work: TypeAlias = Callable[[Any], Any]


class StartWork(Protocol):
    """Returns the function that works on a part; it is called once in each process."""

    def __call__(self) -> Work: ...


def usable_cores() -> int:
    """Return how many processes are of use here, at most MOST_JOBS."""
    return min(len(os.sched_getaffinity(0)), MOST_JOBS)


class Processes:
    """Works on parts in other processes; use it through `started_processes`."""

    def __init__(self, start: StartWork, jobs: int) -> None:
        # A forked process would share this one's connections to the store.
        context = multiprocessing.get_context("spawn")
        self._all: list[tuple[Any, Connection]] = []
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            process = context.Process(target=_run, args=(theirs, start), daemon=True)
            with interrupts_later():
                process.start()
            theirs.close()
            self._all.append((process, ours))

    def results(self, parts: Iterable[tuple[object, Kept]]) -> Iterator[tuple[Kept, Any]]:
        """Yield what is kept here of each part, with the result of what is sent of it.

        Each process has one part at a time, so that neither side waits for the other to read.
        Raises VeilleuseError if a process has ended.
        """
        free = deque(range(len(self._all)))
        busy: deque[tuple[int, Kept]] = deque()
        for sent, kept in parts:
            done = None
            if free:
                at = free.popleft()
            else:
                at, earlier = busy.popleft()
                done = earlier, self._receive(at)
            self._send(at, sent)
            busy.append((at, kept))
            if done is not None:
                yield done
        for at, kept in busy:
            yield kept, self._receive(at)

    def _send(self, at: int, part: object) -> None:
        try:
            self._all[at][1].send(part)
        except OSError:
            self._fail(at)

    def _receive(self, at: int) -> Any:  # noqa: ANN401
        try:
            result = self._all[at][1].recv()
        except (EOFError, OSError):
            self._fail(at)
        if isinstance(result, Exception):
            raise result
        return result

    def _fail(self, at: int) -> NoReturn:
        process = self._all[at][0]
        process.join(_END_SECONDS)
        code = process.exitcode
        how = f"by {signal.Signals(-code).name}" if code and code < 0 else f"with code {code}"
        raise VeilleuseError(
            f"one of the processes that predict ended {how}; run the command again, with --jobs 1"
            " if there is too little memory"
        )

    def close(self) -> None:
        """End the processes."""
        for process, connection in self._all:
            connection.close()
            process.terminate()
        for process, _ in self._all:
            process.join(_END_SECONDS)


@contextmanager
def started_processes(start: StartWork, jobs: int) -> Iterator[Processes]:
    """Start processes, which end with the block."""
    processes = Processes(start, jobs)
    try:
        yield processes
    finally:
        processes.close()


def _run(connection: Connection, start: StartWork) -> None:
    """Work on each part that comes, until the other process closes the connection or ends.

    Ctrl-C, which a terminal sends to all its processes, is blocked here: the other process ends
    this one.
    """
    work: Work | None = None
    while True:
        try:
            part = connection.recv()
        except EOFError:
            return
        try:
            work = work or start()
            result = work(part)
        except Exception as error:  # noqa: BLE001  it is raised in the first process
            result = error
        try:
            connection.send(result)
        except OSError:
            return
