"""The dispatcher: which requests the server's loop answers, and which ones threads answer.

waitress 3.0.2 has no public names for some of what is used here; its version is pinned, and tests
hold the behaviour.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from waitress.task import ThreadedTaskDispatcher

from serve.prediction.cache import CachedResponse

if TYPE_CHECKING:
    from .channel import Channel

# The next pipelined request of a client is answered once it has read all but this much.
UNREAD_BYTES = 256 * 1024
# From method, path and query: whether a request is answered without waiting, or its response.
FindImmediate: TypeAlias = Callable[[str, str, str], CachedResponse | bool]


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Hands requests to threads, except those that the loop answers sooner than it hands them on.

    A third of the time of an answer went into waking a thread and waiting for Python's one lock.
    """

    def __init__(self, find_immediate: FindImmediate) -> None:
        super().__init__()
        self._find_immediate = find_immediate
        self._loop_thread = threading.get_ident()

    def add_task(self, task: Channel) -> None:
        """Put a connection with a request into the queue, or leave it to the loop."""
        if task.total_outbufs_len > UNREAD_BYTES:
            # Its answers would fill the memory. No thread waits for the client: see handle_write.
            task.is_held = True
            return
        task.queued_at = time.monotonic()
        task.cached = None
        immediate = self._may_use_loop(task) and self._find(task)
        if not immediate:
            super().add_task(task)
            task.server.busy_channels.add(task)
            return
        task.is_due = True
        if isinstance(immediate, CachedResponse):
            task.cached = immediate

    def _may_use_loop(self, task: Channel) -> bool:
        # The next request of a client that pipelines comes after what others have sent.
        return not task.is_serving and self._loop_thread == threading.get_ident()

    def _find(self, task: Channel) -> CachedResponse | bool:
        request = task.requests[0]
        if request.error:
            return False
        return self._find_immediate(request.command, request.path, request.query)

    def turn_away(self, queue_seconds: float) -> None:
        """Answer the requests that have waited too long in the loop: no thread may be free."""
        limit = time.monotonic() - queue_seconds
        while self.queue and self.queue[0].queued_at < limit:
            with self.lock:
                task = self.queue.popleft() if self.queue else None
            if task is not None:
                task.turn_away()
