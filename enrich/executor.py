"""Executors: where steps are computed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from db.errors import EnricherError, VeilleuseError

from .child import Answer, run_child
from .enricher import Row
from .recipe import Recipe

POLL_SECONDS = 0.05
JOIN_SECONDS = 5.0


class Stopped(Exception):
    """The worker is to end before the work is done."""


class ChildDied(EnricherError):
    """The compute child died."""


class RecipeError(VeilleuseError):
    """An enricher or a teacher cannot be started at all, whatever the rows."""


class Executor(Protocol):
    """Computes a step, by whatever means."""

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> list[Any]:
        """Return a value for each row; raises EnricherError, or Stopped."""
        ...

    def close(self) -> None:
        """End whatever was started."""
        ...


class LocalExecutor:
    """One child process at idle priority, started when there is work and again when it has died."""

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._is_stopped = is_stopped
        self._child: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._taught: set[str] = set()

    def compute(
        self, fingerprint: str, recipe: Callable[[], Recipe], rows: Sequence[Row]
    ) -> list[Any]:
        """Return a value for each row, teaching the child the recipe if it has not got it."""
        pipe = self._started()
        lesson = None if fingerprint in self._taught else recipe()
        try:
            pipe.send((fingerprint, lesson, list(rows)))
            values, fault, error = self._receive(pipe)
        except (EOFError, OSError) as lost:
            code = self._end()
            raise ChildDied(f"the compute child died with exit code {code}") from lost
        except BaseException:
            # Its answer would be taken for that to the next question.
            self.close()
            raise
        if fault == "recipe":
            raise RecipeError(error)
        if fault == "rows":
            raise EnricherError(error)
        self._taught.add(fingerprint)
        return values

    def _receive(self, pipe: Connection) -> Answer:
        while not pipe.poll(POLL_SECONDS):
            if self._is_stopped():
                raise Stopped
        answer: Answer = pipe.recv()
        return answer

    def _started(self) -> Connection:
        if self._pipe is not None:
            return self._pipe
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        child = context.Process(target=run_child, args=(theirs,), daemon=True, name="compute")
        child.start()
        theirs.close()
        self._child, self._pipe = child, ours
        return ours

    def _end(self) -> int | None:
        child, self._child = self._child, None
        pipe, self._pipe = self._pipe, None
        self._taught.clear()
        if pipe is not None:
            pipe.close()
        if child is None:
            return None
        child.join(0.5)
        if child.is_alive():
            child.kill()
            child.join(JOIN_SECONDS)
        return child.exitcode

    def close(self) -> None:
        """End the child."""
        self._end()


class MicroBatch:
    """How many rows to compute at once, so that a call takes about a second.

    Embeddings want large batches; a worker that must yield wants short ones.
    """

    TARGET_SECONDS = 1.0
    MOST_ROWS = 500

    def __init__(self, rows: int = 16) -> None:
        self.rows = rows

    def measure(self, rows: int, seconds: float) -> None:
        """Learn from a call."""
        if rows < self.rows and seconds < self.TARGET_SECONDS:
            return
        wanted = int(rows * self.TARGET_SECONDS / max(seconds, 1e-6))
        # Twice at most: the first calls also pay for imports and caches.
        self.rows = max(1, min(wanted, 2 * max(rows, self.rows), self.MOST_ROWS))
