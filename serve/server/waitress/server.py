"""The waitress server: serves crowds, and ends without losing a request.

waitress 3.0.2 has no public names for some of what is used here; its version is pinned, and tests
hold the behaviour.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from db.settings import Settings
from serve.api.middleware import RequestMiddleware
from serve.api.wsgi import UNIX
from serve.app import MOST_BODY_BYTES
from serve.server.descriptor_limit import most_connections
from serve.server.listener import BACKLOG
from serve.server.reload import STOP_SIGNALS

from .channel import Channel, beyond_limit
from .dispatcher import Dispatcher
from .event_loop import EventLoop
from .plain_response import PlainResponses
from .plain_turn import PlainTurn

# Larger bodies wait in files, so that many at once do not fill the memory.
BODY_IN_MEMORY_BYTES = 64 * 1024
MOST_HEADER_BYTES = 64 * 1024
DRAIN_SECONDS = 25.0
# While the server drains: a client that keeps its connection may be about to send on it.
LINGER_SECONDS = 1.0
# Accepted in one turn of the loop: other processes on the socket want some too.
ACCEPTS_A_TURN = 128
LOOP_SECONDS = 0.2
CHECK_SECONDS = 1.0
# What the clients of all connections may leave unread, and how often it is added up.
MOST_UNREAD_BYTES = 32 * 2**20
UNREAD_CHECK_SECONDS = 0.1
# The system has no file descriptor left for another connection.
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
NO_DESCRIPTOR_SECONDS = 0.2

log = logging.getLogger("veilleuse.web")


@dataclass(frozen=True)
class ServerHooks:
    """What a server calls while it runs: one notification and two questions."""

    on_listen: Callable[[], None] = lambda: None
    # Whether new code is about to take the socket over.
    has_successor: Callable[[], bool] = lambda: False
    # Whether the parent that would restart this process lives; without it the server ends, since
    # it would only hold the port.
    is_supervised: Callable[[], bool] = lambda: True


class Server(TcpWSGIServer):  # type: ignore[misc]
    """waitress's server with a loop of our own, so that the listener can be closed first."""

    channel_class = Channel
    # Idle connections are closed by is_too_slow, on a clock that nobody can set.
    next_channel_cleanup = math.inf

    active_channels: dict[int, Channel]
    task_dispatcher: Dispatcher
    registered_events = 0

    def __init__(self, app: RequestMiddleware, settings: Settings, listener: socket.socket) -> None:
        self.event_loop = EventLoop()
        # Connections whose requests threads answer, and which those threads so change.
        self.busy_channels: set[Channel] = set()
        self.plain_turn = PlainTurn(PlainResponses(app.plain_requests), self.event_loop)
        self._accepts_from = 0.0
        self._is_unix = listener.family == socket.AF_UNIX
        dispatcher = Dispatcher(app.find_immediate)
        dispatcher.set_thread_count(settings.web_threads)
        super().__init__(
            app,
            _sock=listener,
            dispatcher=dispatcher,
            adj=_adjustments(settings),
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
        self.is_draining = False
        self._queue_seconds = settings.queue_seconds
        self.keep_alive_seconds = settings.keep_alive_seconds
        self._loop_thread = threading.get_ident()
        self._checked_at = self._unread_checked_at = time.monotonic()
        self.trigger.registered_events = 0
        self.event_loop.update(self.trigger)

    def getsockname(self) -> tuple[str, object]:
        """Return the name and port that requests find in their environ."""
        name: tuple[str, object] = (UNIX, 0) if self._is_unix else super().getsockname()
        return name

    def set_socket_options(self, connection: socket.socket) -> None:
        """Set the options of TCP."""
        if not self._is_unix:
            super().set_socket_options(connection)

    def fix_addr(self, address: Any) -> tuple[str, Any]:  # noqa: ANN401  of any family
        """Return the host and port of a peer; peers on a unix socket have none."""
        return (UNIX, None) if self._is_unix else address[:2]

    def handle_accept(self) -> None:
        """Accept every connection that waits.

        One a turn would make a crowd wait for as many turns as it has members.
        """
        for _ in range(min(ACCEPTS_A_TURN, self.adj.connection_limit - len(self.active_channels))):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                break

    def accept(self) -> tuple[socket.socket, Any] | None:
        """Accept a connection; without a free descriptor, wait instead of trying without end."""
        try:
            accepted: tuple[socket.socket, Any] | None = super().accept()
        except OSError as error:
            if error.errno not in NO_DESCRIPTOR:
                raise
            self._accepts_from = time.monotonic() + NO_DESCRIPTOR_SECONDS
            return None
        return accepted

    def readable(self) -> bool:
        """Return whether the loop may accept connections."""
        return bool(time.monotonic() >= self._accepts_from and super().readable())

    def pull_trigger(self) -> None:
        """Wake the loop, unless it is the loop's own thread that asks: it is awake."""
        if threading.get_ident() != self._loop_thread:
            self.trigger.pull_trigger()

    def del_channel(self, map: Any = None) -> None:  # noqa: A002, ANN401  waitress's name
        """Stop accepting connections."""
        self.accepting = False
        self.event_loop.remove(self)
        super().del_channel(map)

    def turn(self, seconds: float = LOOP_SECONDS) -> None:
        """Run the loop once, waiting at most that many seconds; close what is too slow."""
        self.event_loop.update(self)
        self._update_busy()
        self.event_loop.wait(seconds)
        self.plain_turn.answer()
        self.task_dispatcher.turn_away(self._queue_seconds)
        now = time.monotonic()
        if now - self._unread_checked_at > UNREAD_CHECK_SECONDS:
            self._unread_checked_at = now
            self._close(beyond_limit(self.channels(), MOST_UNREAD_BYTES))
        if now - self._checked_at > CHECK_SECONDS:
            self._checked_at = now
            self._close([channel for channel in self.channels() if channel.is_too_slow(now)])

    def _update_busy(self) -> None:
        """Look again at connections that a thread may have changed since the last turn."""
        # As a list, since a thread may add one at any moment.
        for channel in list(self.busy_channels):
            if not channel.requests:
                self.busy_channels.discard(channel)
            if channel.connected:
                self.event_loop.update(channel)

    def _close(self, channels: list[Channel]) -> None:
        """Close connections at their next turn."""
        for channel in channels:
            channel.will_close = True
            self.event_loop.update(channel)

    def channels(self) -> list[Channel]:
        """Return the open connections."""
        return list(self.active_channels.values())

    def finish(self) -> None:
        """Accept what waits in the backlog, close the listener, and answer every request."""
        self.is_draining = True
        for _ in range(BACKLOG):
            if not _is_readable(self.socket):
                break
            self.handle_accept()
            self.turn(0)
        self.del_channel()
        self.socket.close()
        self._drain()

    def hand_over(self) -> None:
        """Answer every request; new connections wait for the successor."""
        self.is_draining = True
        self.del_channel()
        self._drain()

    def _drain(self) -> None:
        """Answer every request and close every connection, for at most DRAIN_SECONDS."""
        began = time.monotonic()
        while (channels := self.channels()) and time.monotonic() - began < DRAIN_SECONDS:
            if time.monotonic() - began > LINGER_SECONDS:
                for channel in channels:
                    # What came since the last turn is still to be read and answered.
                    is_done = not channel.is_busy() and not _is_readable(channel.socket)
                    channel.will_close = channel.will_close or is_done
            for channel in channels:
                self.event_loop.update(channel)
            self.turn(LOOP_SECONDS / 4)


def _adjustments(settings: Settings) -> Adjustments:
    return Adjustments(
        threads=settings.web_threads,
        ident="",
        backlog=BACKLOG,
        connection_limit=most_connections(),
        # waitress refuses bodies of this size, and the application larger ones than its own limit.
        max_request_body_size=MOST_BODY_BYTES + 1,
        max_request_header_size=MOST_HEADER_BYTES,
        inbuf_overflow=BODY_IN_MEMORY_BYTES,
        # The middleware reads and drops the headers of proxies, on every server alike.
        clear_untrusted_proxy_headers=False,
    )


def serve_until_stopped(
    app: RequestMiddleware,
    settings: Settings,
    listener: socket.socket,
    hooks: ServerHooks,
    on_drain: Callable[[], None],
) -> bool:
    """Answer requests until SIGTERM or SIGINT, then finish those that have come.

    Return whether a successor takes the socket over, to which new connections go on coming.
    waitress ends at once when it gets a signal; so its loop runs here, and its listener is closed
    first.
    """
    # Each request beyond the idle threads would otherwise be a line in the log.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    server = Server(app, settings, listener)
    stops = _catch_stop_signals()
    hooks.on_listen()
    has_successor = False
    while not (stops or has_successor) and hooks.is_supervised():
        server.turn()
        has_successor = hooks.has_successor()
    log.info("process %s is ending: it finishes the requests that have come", os.getpid())
    if has_successor:
        server.hand_over()
        # Signals that come from now on are for the successor.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    if stops or not has_successor:
        on_drain()
        server.finish()
        for number in STOP_SIGNALS:
            # A platform may send a signal twice.
            signal.signal(number, signal.SIG_IGN)
    server.task_dispatcher.shutdown()
    return has_successor and not stops


def _catch_stop_signals() -> list[int]:
    """Return the list to which SIGTERM and SIGINT are added, those blocked until now included."""
    stops: list[int] = []

    def add(number: int, _frame: FrameType | None) -> None:
        stops.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, add)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return stops


def _is_readable(one: socket.socket) -> bool:
    """Return whether a connection waits at a listener, or bytes wait on a connection."""
    poll = select.poll()
    poll.register(one, select.POLLIN)
    return bool(poll.poll(0))
