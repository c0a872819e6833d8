"""One child process at idle priority, on this machine."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from db.errors import EnricherError
from enrich.enrichers.base import Row, Unavailable
from enrich.gate.suspender import ProcessSuspender, kill_group

from .base import ChildDied, Computed, RecipeError, Stopped, Suspended
from .child import Answer, run_child
from .recipe import Recipe

POLL_SECONDS = 0.05
JOIN_SECONDS = 5.0
SUSPEND_SECONDS = 600.0


class LocalExecutor:
    """A child that is started when there is work, and again when it has died."""

    is_local = True

    def __init__(
        self,
        is_stopped: Callable[[], bool] = lambda: False,
        suspender: ProcessSuspender | None = None,
        suspend_seconds: float = SUSPEND_SECONDS,
    ) -> None:
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
        """Return a value for each row, teaching the child the recipe if it has not got it."""
        while True:
            self._wait_while_suspended()
            began, stopped = time.monotonic(), self._suspender.stopped_seconds()
            answer = self._ask(fingerprint, recipe, rows)
            if answer is not None:
                seconds = time.monotonic() - began - (self._suspender.stopped_seconds() - stopped)
                self._sent.add(fingerprint)
                return Computed(read_answer(answer), max(seconds, 0.0))

    def _wait_while_suspended(self) -> None:
        while self._suspender.is_on:
            self._check()
            time.sleep(POLL_SECONDS)

    def _check(self) -> None:
        if self._is_stopped():
            raise Stopped
        if self._suspender.stopped_for() > self._suspend_seconds:
            raise Suspended

    def _ask(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> Answer | None:
        """Return the child's answer, None where the brake has ended it."""
        payload = None if self._child and fingerprint in self._sent else recipe()
        try:
            pipe = self._started()
            self._check()
            pipe.send((fingerprint, payload, list(rows)))
            answer: Answer = self._receive(pipe)
        except (EOFError, OSError) as lost:
            was_suspended, code = self._end(0.0 if self._suspender.is_on else JOIN_SECONDS)
            self._check()
            if was_suspended:
                return None
            raise ChildDied(f"the compute child died with exit code {code}") from lost
        except BaseException:
            # Its answer would be taken for that to the next question.
            self.close()
            raise
        return answer

    def _receive(self, pipe: Connection) -> Any:  # noqa: ANN401
        while not pipe.poll(POLL_SECONDS):
            self._check()
        return pipe.recv()

    def _started(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        child = context.Process(
            target=run_child, args=(theirs, os.getpid()), daemon=True, name="compute"
        )
        # The kernel ends it with the thread that started it: that one must not come and go.
        self._starter = self._starter or ThreadPoolExecutor(1, "starter")
        self._starter.submit(child.start).result()
        theirs.close()
        self._child, self._pipe = child, ours
        # Before it says so it is not the head of its group yet.
        self._receive(ours)
        self._suspender.add(child.pid or 0)
        return ours

    def _end(self, patience_seconds: float = 0.5) -> tuple[bool, int | None]:
        """End the child; returns whether the brake had done so already, and its exit code."""
        child, self._child = self._child, None
        pipe, self._pipe = self._pipe, None
        self._sent.clear()
        if pipe is not None:
            pipe.close()
        if child is None:
            return False, None
        # On a busy machine one at idle priority takes its time to end by itself.
        child.join(patience_seconds)
        # What an enricher has started ends with it.
        kill_group(child.pid or 0)
        child.join(JOIN_SECONDS)
        return self._suspender.remove(child.pid or 0), child.exitcode

    def abort(self) -> None:
        """End the child from another thread: whoever waits for it finds it dead."""
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
    """Return the values, or raise what failed."""
    if answer.fault == "recipe":
        raise RecipeError(answer.error)
    if answer.fault == "unavailable":
        raise Unavailable(answer.error, answer.seconds)
    if answer.fault == "rows":
        raise EnricherError(answer.error)
    return answer.values
