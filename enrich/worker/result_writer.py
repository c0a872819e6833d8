"""Writes the results of a chunk in a thread, while the next chunk is computed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from enrich.pipeline.work_chunk import ChunkResult, ComputedChunk

# A chunk that took longer is written before the next one is claimed: if the worker is killed, no
# more than one such chunk must be computed again. Writing takes little time compared with it.
QUICK_SECONDS = 1.0


@dataclass(frozen=True)
class TimedChunk:
    """A computed chunk, and the seconds of computing it."""

    computed: ComputedChunk
    seconds: float


class ResultWriter:
    """Holds a computed chunk until the next one has been read, and then writes it in a thread.

    So the two never want SQLite's one lock at the same time.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "results")
        self._held: TimedChunk | None = None
        self._writing: tuple[TimedChunk, Future[ChunkResult]] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all chunks are written."""
        return self._held is None and self._writing is None

    @property
    def is_urgent(self) -> bool:
        """Whether the chunk that is held took long, has failures, or was tried before.

        The next chunk may show that these are a service's failures, and withdraws them then. It may
        also kill the worker: the death then counts as a try of both, but of one only once.
        """
        if self._held is None:
            return False
        seconds, computed = self._held.seconds, self._held.computed
        was_tried = computed.task.chunk.attempts > 1
        return seconds > QUICK_SECONDS or computed.has_failures or was_tried

    def hold(self, chunk: TimedChunk) -> None:
        """Take over a chunk."""
        self._held = chunk

    def start(self) -> None:
        """Begin to write the chunk that is held, unless another one is still being written."""
        if self._held is not None and self._writing is None:
            self._writing = self._held, self._thread.submit(self._held.computed.write)
            self._held = None

    def finish(self) -> tuple[TimedChunk, Future[ChunkResult]] | None:
        """Wait until a chunk is written; return it with what came of it, None if there is none."""
        written, self._writing = self._writing, None
        if written is not None:
            written[1].exception()
        return written

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
