"""Connections: what ours do besides waitress's.

waitress 3.0.2 has no public names for these; its version is pinned, and tests hold them.
"""

from __future__ import annotations

import time
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher, WSGITask

from .journal import WAITED

# From the first byte of a request to its last; whoever is slower holds a connection for nothing.
REQUEST_SECONDS = 20.0


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

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment, with how long the request has waited."""
        environ: dict[str, Any] = super().get_environment()
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

    def received(self, data: bytes) -> bool:
        """Take bytes that have come."""
        taken: bool = super().received(data)
        if self.request is None:
            self.begun_at = None
        elif self.begun_at is None:
            self.begun_at = time.monotonic()
        return taken

    def is_busy(self) -> bool:
        """Tell whether a request is being sent or answered."""
        return bool(self.requests or self.total_outbufs_len or self.request)

    def is_too_slow(self, now: float) -> bool:
        """Tell whether a request has been coming for too long."""
        return self.begun_at is not None and now - self.begun_at > REQUEST_SECONDS
