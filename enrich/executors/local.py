"""The local executor: one compute child at idle priority on this machine."""

from __future__ import annotations

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from db.errors import EnricherError
from db.interrupts import interrupts_later
from enrich.enrichers.base import Row, Unavailable
from enrich.gate.suspender import ProcessSuspender, kill_group

from .base import ChildDied, Computed, RecipeError, Stopped, Suspended, TookTooLong
from .child import Answer, run_child
from .recipe import REQUEST, Recipe

POLL_SECONDS = 0.05
# For a child that has closed its pipe or was killed.
JOIN_SECONDS = 5.0
# For a child that is asked to end by itself.
END_SECONDS = 0.5
SUSPEND_SECONDS = 600.0
# A batch takes about a second; the first may have to download a model, or wait for a look-up.
LONGEST_SECONDS = 900.0


class LocalExecutor:
    """Computes in a child, which is started when there is work, and again after it has died."""

    is_local = True

    def __init__(
        self,
        is_stopped: Callable[[], bool] = lambda: False,
        suspender: ProcessSuspender | None = None,
        suspend_seconds: float = SUSPEND_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._longest_seconds = longest_seconds
        self._is_stopped = is_stopped
        self._suspender = suspender or ProcessSuspender()
        self._suspend_seconds = suspend_seconds
        self._child: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._sent: set[str] = set()
        self._starter: ThreadPoolExecutor | None = None

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Computed:
        """Return a value for each row; the recipe is sent to the child unless it has it already."""
        while True:
            self._wait_while_suspended()
            began, stopped = time.monotonic(), self._suspender.stopped_seconds()
            answer = self._request(fingerprint, recipe, rows)
            if answer is not None:
                seconds = time.monotonic() - began - (self._suspender.stopped_seconds() - stopped)
                if answer.fault not in {"recipe", "unavailable"}:
                    # Otherwise the child may not have started it, and needs it again.
                    self._sent.add(fingerprint)
                return Computed(read_answer(answer), max(seconds, 0.0))

    def _wait_while_suspended(self) -> None:
        while self._suspender.is_on:
            self._check_stopped()
            time.sleep(POLL_SECONDS)

    def _check_stopped(self) -> None:
        """Raise Stopped if the worker ends, Suspended if the work has been stopped for too long."""
        if self._is_stopped():
            raise Stopped
        if self._suspender.stopped_for() > self._suspend_seconds:
            raise Suspended

    def _request(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Answer | None:
        """Return the child's answer, None if the suspender has killed the child."""
        payload = None if self._child and fingerprint in self._sent else recipe()
        try:
            pipe = self._connect()
            self._check_stopped()
            pipe.send((fingerprint, payload, list(rows)))
            answer: Answer = self._receive(pipe, self._limit_of(rows))
        except (EOFError, OSError) as lost:
            was_killed, code = self._end(0.0 if self._suspender.is_on else JOIN_SECONDS)
            self._check_stopped()
            if was_killed:
                return None
            raise ChildDied(f"the compute child died with exit code {code}") from lost
        except BaseException:
            # Otherwise its answer would be taken for the answer to the next request.
            self.close()
            raise
        return answer

    def _limit_of(self, rows: Sequence[Row]) -> float:
        """Return how long the child may compute; calls to services have limits of their own."""
        return math.inf if rows and REQUEST in rows[0] else self._longest_seconds

    def _receive(self, pipe: Connection, limit_seconds: float = math.inf) -> Any:  # noqa: ANN401
        """Return the child's next message; raises TookTooLong."""
        began = time.monotonic() - self._suspender.stopped_seconds()
        while not pipe.poll(POLL_SECONDS):
            self._check_stopped()
            if time.monotonic() - self._suspender.stopped_seconds() - began > limit_seconds:
                raise TookTooLong(f"it took longer than {limit_seconds:g} s and was ended")
        return pipe.recv()

    def _connect(self) -> Connection:
        """Return the pipe to the child, which is started if none runs."""
        if self._pipe is not None:
            return self._pipe
        context = multiprocessing.get_context("spawn")
        parent_end, child_end = context.Pipe()
        child = context.Process(
            target=run_child, args=(child_end, os.getpid()), daemon=True, name="compute"
        )
        # The kernel kills the child when the thread that started it ends, so this thread stays.
        self._starter = self._starter or ThreadPoolExecutor(1, "starter")
        self._starter.submit(_start, child).result()
        child_end.close()
        self._child, self._pipe = child, parent_end
        # Its first message says that it leads a process group of its own.
        self._receive(parent_end)
        self._suspender.add(child.pid or 0)
        return parent_end

    def _end(self, end_seconds: float = END_SECONDS) -> tuple[bool, int | None]:
        """End the child; return whether the suspender had killed it already, and its exit code."""
        child, self._child = self._child, None
        pipe, self._pipe = self._pipe, None
        self._sent.clear()
        if pipe is not None:
            pipe.close()
        if child is None:
            return False, None
        # At idle priority, a child on a busy machine may need this long to end by itself.
        child.join(end_seconds)
        # The group includes the processes that an enricher has started.
        kill_group(child.pid or 0)
        child.join(JOIN_SECONDS)
        return self._suspender.remove(child.pid or 0), child.exitcode

    def abort(self) -> None:
        """Kill the child from another thread; the thread that waits for it sees that it died."""
        child = self._child
        if child is not None:
            kill_group(child.pid or 0)

    def close(self) -> None:
        """End the child."""
        self._end()
        if self._starter is not None:
            self._starter.shutdown()
            self._starter = None


def read_answer(answer: Answer) -> list[Any]:
    """Return the values of an answer, or raise its fault as the matching error."""
    if answer.fault == "recipe":
        raise RecipeError(answer.error)
    if answer.fault == "unavailable":
        raise Unavailable(answer.error, answer.seconds)
    if answer.fault == "rows":
        raise EnricherError(answer.error)
    return answer.values


def _start(child: BaseProcess) -> None:
    with interrupts_later():
        child.start()
