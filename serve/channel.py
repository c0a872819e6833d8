"""Connections: what ours do besides waitress's.

waitress 3.0.2 has no public names for these; its version is pinned, and tests hold them.
"""

from __future__ import annotations

import time

from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher, WSGITask

from .wsgi import WAITED, Environ

# From the first byte of a request to its last; whoever is slower holds a connection for nothing.
REQUEST_SECONDS = 20.0
# For so long a client may leave something of its answers unread.
UNREAD_SECONDS = 60.0


class Dispatcher(ThreadedTaskDispatcher):  # type: ignore[misc]
    """Notes when each request began to wait for a thread."""

    def add_task(self, task: Channel) -> None:
        """Put a connection with a request into the queue."""
        task.queued_at = time.monotonic()
        super().add_task(task)


class Task(WSGITask):  # type: ignore[misc]
    """One request and its answer."""

    wrote_header: bool
    content_bytes_written: int

    def get_environment(self) -> Environ:
        """Return the WSGI environment, with how long the request has waited."""
        environ: Environ = super().get_environment()
        environ[WAITED] = time.monotonic() - self.channel.queued_at
        return environ

    def build_response_header(self) -> bytes:
        """Return the head; while the process ends, it says that this connection does too."""
        if self.channel.server.is_draining:
            self.request.headers["CONNECTION"] = "close"
        head: bytes = super().build_response_header()
        return head

    def write(self, data: bytes) -> None:
        """Send head and body together where the body is whole: one system call instead of two."""
        is_whole = self.complete and len(data) == self.content_length
        if not data or not is_whole or self.wrote_header:
            super().write(data)
            return
        head = self.build_response_header()
        self.wrote_header = True
        if self.has_body:
            self.content_bytes_written += len(data)
            head += data
        self.channel.write_soon(head)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection."""

    task_class = Task
    queued_at = 0.0
    # When the request that is still incomplete began.
    begun_at: float | None = None
    # Since when there has been something to send.
    unread_since: float | None = None

    def received(self, data: bytes) -> bool:
        """Take bytes that have come."""
        before = self.request
        taken: bool = super().received(data)
        if self.request is None:
            self.begun_at = None
        elif self.request is not before:
            self.begun_at = time.monotonic()
        return taken

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Cut a client that asks for more and reads nothing; waitress would let a thread wait."""
        if self.total_outbufs_len <= self.adj.outbuf_high_watermark:
            return
        with self.outbuf_lock:
            self._flush_exception(self._flush_some, do_close=False)
        if self.total_outbufs_len > self.adj.outbuf_high_watermark:
            self.connected = False
            self.will_close = True
            self.server.pull_trigger()

    def is_busy(self) -> bool:
        """Tell whether a request is being sent or answered."""
        return bool(self.requests or self.total_outbufs_len or self.request)

    def is_too_slow(self, now: float) -> bool:
        """Tell whether a request has been coming, or an answer been unread, for too long."""
        if not self.total_outbufs_len:
            self.unread_since = None
        elif self.unread_since is None:
            self.unread_since = now
        is_slow_to_send = self.begun_at is not None and now - self.begun_at > REQUEST_SECONDS
        return is_slow_to_send or now - (self.unread_since or now) > UNREAD_SECONDS
