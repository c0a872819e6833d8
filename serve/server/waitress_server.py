"""The waitress server: serves crowds, and ends without losing a request.

waitress 3.0.2 has no public names for some of what is used here; its version is pinned, and tests
hold the behaviour.
"""

from __future__ import annotations

import logging
import math
import os
import resource
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

from db.errors import SettingError
from db.settings import Settings
from serve.api.middleware import RequestMiddleware
from serve.app import MOST_BODY_BYTES

from .reload import STOP_SIGNALS
from .waitress_channel import Channel, Dispatcher

CONNECTIONS = 10_000
BACKLOG = 2048
SPARE_DESCRIPTORS = 200
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

log = logging.getLogger("veilleuse.web")


def listen(settings: Settings) -> socket.socket:
    """Return the listening socket; raises SettingError."""
    try:
        # A name may have several addresses; with one socket there is one server.
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingError(
            f"HOST={settings.host} PORT={settings.port}: cannot be listened on: {error.strerror};"
            f" end what holds it, or choose another PORT"
        ) from None


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

    def __init__(self, app: RequestMiddleware, settings: Settings, listener: socket.socket) -> None:
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
        self._loop_thread = threading.get_ident()
        self._checked_at = time.monotonic()

    def handle_accept(self) -> None:
        """Accept every connection that waits.

        One a turn would make a crowd wait for as many turns as it has members.
        """
        for _ in range(ACCEPTS_A_TURN):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                break

    def pull_trigger(self) -> None:
        """Wake the loop, unless it is the loop's own thread that asks: it is awake."""
        if threading.get_ident() != self._loop_thread:
            self.trigger.pull_trigger()

    def turn(self, seconds: float = LOOP_SECONDS) -> None:
        """Run the loop once, waiting at most that many seconds; close what is too slow."""
        self.asyncore.loop(timeout=seconds, map=self._map, count=1, use_poll=True)
        now = time.monotonic()
        if now - self._checked_at > CHECK_SECONDS:
            self._checked_at = now
            for channel in self.channels():
                if channel.is_too_slow(now):
                    channel.will_close = True

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
            self.turn(LOOP_SECONDS / 4)


def _adjustments(settings: Settings) -> Adjustments:
    # Only a platform's router always stands before us; anywhere else a client could lie.
    proxy: dict[str, Any] = (
        {
            "trusted_proxy": "*",
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"},
        }
        if "DYNO" in os.environ
        else {}
    )
    return Adjustments(
        threads=settings.web_threads,
        ident="",
        backlog=BACKLOG,
        connection_limit=CONNECTIONS,
        max_request_body_size=MOST_BODY_BYTES,
        max_request_header_size=MOST_HEADER_BYTES,
        inbuf_overflow=BODY_IN_MEMORY_BYTES,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=True,
        **proxy,
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


def raise_descriptor_limit() -> None:
    """Allow as many connections as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_DESCRIPTORS
    if soft < wanted and soft != resource.RLIM_INFINITY:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _is_readable(one: socket.socket) -> bool:
    """Return whether a connection waits at a listener, or bytes wait on a connection."""
    poll = select.poll()
    poll.register(one, select.POLLIN)
    return bool(poll.poll(0))
