"""The server: waitress, with what it needs to serve crowds and to end without losing a request."""

from __future__ import annotations

import logging
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import waitress

from db.errors import SettingError
from db.settings import Settings

from .app import MOST_BODY_BYTES
from .channel import Channel, Dispatcher
from .journal import Journal

CONNECTIONS = 10_000
BACKLOG = 2048
SPARE_DESCRIPTORS = 200
# Larger bodies wait in files, so that many at once do not fill the memory.
BODY_IN_MEMORY = 64 * 1024
DRAIN_SECONDS = 25.0
# While it drains: a client that keeps its connection may be just about to send on it.
LINGER_SECONDS = 1.0
LOOP_SECONDS = 0.2
IDLE_SECONDS = 60
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


def serve_until_told(
    app: Journal,
    settings: Settings,
    listener: socket.socket,
    on_listen: Callable[[], None],
    on_drain: Callable[[], None],
) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that have come.

    It ends as well when the process that started it is gone: nobody would restart it.
    waitress ends at once when it is told to; so its loop is run here, and its listener closed
    first.
    """
    server = _make_server(app, settings, listener)
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    parent = os.getppid()
    on_listen()
    while not asked and os.getppid() == parent:
        _turn(server)
    on_drain()
    log.info("process %s is ending: finishing what has come", os.getpid())
    _finish(server)
    for number in (signal.SIGTERM, signal.SIGINT):
        # A platform may say it twice.
        signal.signal(number, signal.SIG_IGN)


def _make_server(app: Journal, settings: Settings, listener: socket.socket) -> Any:  # noqa: ANN401
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
    dispatcher = Dispatcher()
    dispatcher.set_thread_count(settings.web_threads)
    server = waitress.create_server(
        app,
        sockets=[listener],
        _dispatcher=dispatcher,
        threads=settings.web_threads,
        ident="",
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=15,
        max_request_body_size=MOST_BODY_BYTES,
        max_request_header_size=64 * 1024,
        inbuf_overflow=BODY_IN_MEMORY,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=True,
        **proxy,
    )
    server.channel_class = Channel
    server.is_draining = False
    server.looked_at = time.monotonic()
    return server


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
        # It accepts one connection a turn.
        if not _is_waited_for(server.socket):
            break
        _turn(server, 0)
    server.del_channel()
    server.socket.close()
    began = time.monotonic()
    while (channels := _channels(server)) and time.monotonic() - began < DRAIN_SECONDS:
        if time.monotonic() - began > LINGER_SECONDS:
            for channel in channels:
                channel.will_close = channel.will_close or not channel.is_busy()
        _turn(server, LOOP_SECONDS / 4)
    server.task_dispatcher.shutdown()


def _is_waited_for(listener: socket.socket) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def _channels(server: Any) -> list[Channel]:  # noqa: ANN401
    return list(server.active_channels.values())
