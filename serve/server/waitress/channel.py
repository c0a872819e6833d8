"""Connections and requests on waitress: answers in the loop, and limits on slow clients.

waitress 3.0.2 has no public names for some of what is used here; its version is pinned, and tests
hold the behaviour.
"""

from __future__ import annotations

import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.task import WSGITask
from waitress.utilities import Error

from serve.api.access.body_limit import BodyLimit
from serve.api.wsgi import CACHED, HEAD, WAIT_UNTIL_READ, WAITED, Environ
from serve.prediction.cache import CachedResponse

from .dispatcher import UNREAD_BYTES
from .request import ProblemTask, RequestParser

# From the first byte of a request to its last; a slower client only holds a connection.
REQUEST_SECONDS = 20.0
# A file of 100 MiB over a line of 2 Mbit/s; only clients that have signed in may take so long.
UPLOAD_SECONDS = 600.0
# How long a client may leave part of its answers unread.
UNREAD_SECONDS = 60.0
READ_POLL_SECONDS = 0.01


class RequestTask(WSGITask):  # type: ignore[misc]
    """One request and its answer."""

    wrote_header: bool
    content_bytes_written: int

    def get_environment(self) -> Environ:
        """Return the WSGI environment, with how long the request has waited."""
        environ: Environ = super().get_environment()
        environ[WAITED] = time.monotonic() - self.channel.queued_at
        environ[WAIT_UNTIL_READ] = self.channel.wait_until_read
        if self.request.is_plain:
            environ[HEAD] = self.channel.peer, self.request.head
        if self.channel.cached is not None:
            environ[CACHED] = self.channel.cached
        return environ

    def build_response_header(self) -> bytes:
        """Return the head; while the process ends, with Connection: close."""
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


class NoDiskSpace(Error):  # type: ignore[misc]
    """There is no room on the disk for a request's body."""

    code = 503
    reason = "Service Unavailable"


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection."""

    task_class = RequestTask
    error_task_class = ProblemTask
    request: Any
    registered_events = 0
    queued_at = 0.0
    # The response that the dispatcher has found for its request.
    cached: CachedResponse | None = None
    # Whether the loop is to answer its request, and whether it is answering it now.
    is_due = False
    is_serving = False
    # Whether its next request waits until the client has read earlier answers.
    is_held = False
    # When the request that is still incomplete began; None between requests.
    begun_at: float | None = None
    # Since when there has been something to send.
    unread_since: float | None = None

    def parser_class(self, adjustments: Adjustments) -> RequestParser:
        """Return the parser of the next request, which may ask how large its body may be."""
        parser = RequestParser(adjustments)
        parser.channel = self
        return parser

    def find_body_limit(self, environ: Environ) -> BodyLimit:
        """Return how large the body of a request may be."""
        environ["REMOTE_ADDR"] = str(self.addr[0] or "")
        limit: BodyLimit = self.server.application.find_body_limit(environ)
        return limit

    def wait_until_read(self) -> None:
        """Wait until the client has read what was sent, or is cut off because it does not.

        An answer that is made while it is sent then never waits as a whole. It holds a thread.
        """
        while self.connected and self.total_outbufs_len:
            time.sleep(READ_POLL_SECONDS)
        self.unread_since = None
        # waitress begins a new buffer here; the old one would keep 16 MiB that have been sent.
        self.current_outbuf_count = self.adj.outbuf_high_watermark

    @property
    def last_activity(self) -> float:
        """When bytes last came or went, on a clock that cannot be set, unlike waitress's."""
        return self._active_at

    @last_activity.setter
    def last_activity(self, _time_of_day: float) -> None:
        self._active_at = time.monotonic()

    @property
    def peer(self) -> str:
        """The address of the other end, without its port."""
        return str(self.addr[0])

    def add_channel(self, map: Any = None) -> None:  # noqa: A002, ANN401  waitress's name
        """Begin to wait for requests."""
        super().add_channel(map)
        self.server.event_loop.register(self)

    def del_channel(self, map: Any = None) -> None:  # noqa: A002, ANN401  waitress's name
        """Stop waiting for requests."""
        self.server.event_loop.remove(self)
        super().del_channel(map)

    def received(self, data: bytes) -> bool:
        """Handle bytes that have come; a plain request is answered when the loop's turn ends."""
        may_be_plain = not (
            self.request or self.requests or self.total_outbufs_len or self.server.is_draining
        )
        if may_be_plain and self.server.plain_turn.take(self, data):
            return True
        return self.parse(data)

    def parse(self, data: bytes) -> bool:
        """Let waitress parse bytes."""
        before = self.request
        try:
            taken: bool = super().received(data)
        except OSError as error:
            if self.request is None:
                raise
            # A large body waits in a file.
            taken = self._refuse(NoDiskSpace(f"there is no room for the body: {error.strerror}"))
        if self.request is None:
            self.begun_at = None
        elif self.request is not before:
            self.begun_at = time.monotonic()
        if self.is_due:
            self._serve_at_once()
        return taken

    def send_at_once(self, data: bytes) -> None:
        """Send what the client takes now, and put the rest into the buffer."""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.write_soon(data[sent:])

    def _refuse(self, error: Error) -> bool:
        with self.requests_lock:
            self.request.error, self.request.completed = error, True
            self.requests.append(self.request)
            self.request = None
            if len(self.requests) == 1:
                self.server.add_task(self)
        return True

    def turn_away(self) -> None:
        """Let the loop answer a request that has waited too long, which the middleware refuses."""
        self._serve()

    def _serve_at_once(self) -> None:
        self.is_due = False
        self._serve()

    def _serve(self) -> None:
        self.is_serving = True
        self.service()
        self.is_serving = False

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Do nothing, where waitress would let a thread wait for the client."""

    def writable(self) -> bool:
        """Return whether there is something to send, or a held request to look at."""
        return bool(self.is_held or super().writable())

    def handle_write(self) -> None:
        """Send what the client takes; go on with a held request once it has read enough."""
        super().handle_write()
        if self.is_held and self.total_outbufs_len <= UNREAD_BYTES:
            self.is_held = False
            with self.requests_lock:
                if self.connected and self.requests:
                    self.server.add_task(self)

    def is_busy(self) -> bool:
        """Return whether a request is being received or answered."""
        return bool(self.requests or self.total_outbufs_len or self.request)

    def is_too_slow(self, now: float) -> bool:
        """Return whether the client sends, reads or stays idle for longer than it may."""
        if not self.total_outbufs_len:
            self.unread_since = None
        elif self.unread_since is None:
            self.unread_since = now
        is_upload = self.request is not None and self.request.is_upload
        most_seconds = UPLOAD_SECONDS if is_upload else REQUEST_SECONDS
        is_slow_to_send = self.begun_at is not None and now - self.begun_at > most_seconds
        is_slow_to_read = now - (self.unread_since or now) > UNREAD_SECONDS
        is_idle = not self.requests and now - self._active_at > self.server.keep_alive_seconds
        return is_slow_to_send or is_slow_to_read or is_idle


def beyond_limit(channels: list[Channel], limit_bytes: int) -> list[Channel]:
    """Return the connections with the most unread bytes, without which all others keep a limit."""
    unread = sum(channel.total_outbufs_len for channel in channels)
    if unread <= limit_bytes:
        return []
    found = []
    for channel in sorted(channels, key=lambda one: one.total_outbufs_len, reverse=True):
        found.append(channel)
        unread -= channel.total_outbufs_len
        if unread <= limit_bytes:
            break
    return found
