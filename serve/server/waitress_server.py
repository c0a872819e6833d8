"""The server: waitress, with what it needs to serve crowds and to end without losing a request."""

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
from functools import partial
from types import FrameType
from typing import Any

import waitress

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
BODY_IN_MEMORY = 64 * 1024
DRAIN_SECONDS = 25.0
# While it drains: a client that keeps its connection may be just about to send on it.
LINGER_SECONDS = 1.0
# In one turn: other processes on the socket want some too.
ACCEPTS = 128
LOOP_SECONDS = 0.2
LOOK_SECONDS = 1.0

log = logging.getLogger("veilleuse.web")


def listen(settings: Settings) -> socket.socket:
    """Return the listening socket; raises SettingError."""
    try:
        # A name may stand for several addresses; one socket of ours keeps it one server.
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
    """What a server tells whoever started it, and what it asks."""

    on_listen: Callable[[], None] = lambda: None
    # Whether today's code is about to take the socket over.
    has_successor: Callable[[], bool] = lambda: False
    # Whether somebody is there who would start it again; else it would only hold the port.
    is_supervised: Callable[[], bool] = lambda: True


def serve_until_told(
    app: RequestMiddleware,
    settings: Settings,
    listener: socket.socket,
    calls: ServerHooks,
    on_drain: Callable[[], None],
) -> bool:
    """Answer requests until SIGTERM or SIGINT, then finish those that have come.

    Returns whether it ends for an heir instead, for whom connections go on coming.
    waitress ends at once when it is told to; so its loop is run here, and its listener closed
    first.
    """
    server = _make_server(app, settings, listener)
    asked = _hear()
    calls.on_listen()
    has_successor = False
    while not (asked or has_successor) and calls.is_supervised():
        _turn(server)
        has_successor = calls.has_successor()
    log.info("process %s is ending: finishing what has come", os.getpid())
    if has_successor:
        _hand_over(server)
        # What is told from now on is for the heir to hear.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    if asked or not has_successor:
        on_drain()
        _finish(server)
        for number in STOP_SIGNALS:
            # A platform may say it twice.
            signal.signal(number, signal.SIG_IGN)
    server.task_dispatcher.shutdown()
    return has_successor and not asked


def _hear() -> list[int]:
    """Return where the signals to end will be found, also those held back until now."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return asked


def _make_server(app: RequestMiddleware, settings: Settings, listener: socket.socket) -> Any:  # noqa: ANN401
    # Each request beyond the idle threads would otherwise be a line in the log.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Only a platform's router stands before us without fail; anywhere else a client could lie.
    proxy: dict[str, Any] = (
        {
            "trusted_proxy": "*",
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"},
        }
        if "DYNO" in os.environ
        else {}
    )
    dispatcher = Dispatcher(app.is_immediate)
    dispatcher.set_thread_count(settings.web_threads)
    server = waitress.create_server(
        app,
        sockets=[listener],
        _dispatcher=dispatcher,
        threads=settings.web_threads,
        ident="",
        connection_limit=CONNECTIONS,
        max_request_body_size=MOST_BODY_BYTES,
        max_request_header_size=64 * 1024,
        inbuf_overflow=BODY_IN_MEMORY,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=True,
        **proxy,
    )
    server.channel_class = Channel
    # We look ourselves who is idle, by a clock that nobody sets.
    server.next_channel_cleanup = math.inf
    server.handle_accept = partial(_accept_many, server, server.handle_accept)
    server.pull_trigger = partial(_wake, server.trigger, threading.get_ident())
    server.is_draining = False
    server.looked_at = time.monotonic()
    return server


def _accept_many(server: Any, accept: Callable[[], None]) -> None:  # noqa: ANN401
    """Accept who waits; one a turn would let a crowd wait for as many turns as it has heads."""
    for _ in range(ACCEPTS):
        before = len(server.active_channels)
        accept()
        if len(server.active_channels) == before:
            break


def _wake(trigger: Any, loop: int) -> None:  # noqa: ANN401
    """Let the loop look anew, unless it is the loop itself that asks: it looks anyway."""
    if threading.get_ident() != loop:
        trigger.pull_trigger()


def raise_descriptor_limit() -> None:
    """Allow as many connections as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_DESCRIPTORS
    if soft < wanted and soft != resource.RLIM_INFINITY:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _turn(server: Any, seconds: float = LOOP_SECONDS) -> None:  # noqa: ANN401
    server.asyncore.loop(timeout=seconds, map=server._map, count=1, use_poll=True)  # noqa: SLF001
    now = time.monotonic()
    if now - server.looked_at > LOOK_SECONDS:
        server.looked_at = now
        for channel in _channels(server):
            if channel.is_too_slow(now):
                channel.will_close = True


def _finish(server: Any) -> None:  # noqa: ANN401
    """Take what waits in the backlog, close the listener, and see every request answered."""
    server.is_draining = True
    for _ in range(BACKLOG):
        if not _has_come(server.socket):
            break
        server.handle_accept()
        _turn(server, 0)
    server.del_channel()
    server.socket.close()
    _see_out(server)


def _hand_over(server: Any) -> None:  # noqa: ANN401
    """See every request answered; who connects from now on waits for the heir."""
    server.is_draining = True
    server.del_channel()
    _see_out(server)


def _see_out(server: Any) -> None:  # noqa: ANN401
    """See every request answered and every connection closed, for so long as that may take."""
    began = time.monotonic()
    while (channels := _channels(server)) and time.monotonic() - began < DRAIN_SECONDS:
        if time.monotonic() - began > LINGER_SECONDS:
            for channel in channels:
                # What came since the last turn is still to be read and answered.
                is_done = not channel.is_busy() and not _has_come(channel.socket)
                channel.will_close = channel.will_close or is_done
        _turn(server, LOOP_SECONDS / 4)


def _has_come(one: socket.socket) -> bool:
    """Tell whether a connection waits at a listener, or something to be read on a connection."""
    poll = select.poll()
    poll.register(one, select.POLLIN)
    return bool(poll.poll(0))


def _channels(server: Any) -> list[Channel]:  # noqa: ANN401
    return list(server.active_channels.values())
