"""The server: waitress, with what it needs to serve crowds and to end without losing a request."""

from __future__ import annotations

import logging
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
from .journal import Journal

CONNECTIONS = 10_000
BACKLOG = 2048
SPARE_DESCRIPTORS = 200
DRAIN_SECONDS = 25.0
LOOP_SECONDS = 0.2

log = logging.getLogger("veilleuse.web")


def serve_forever(
    app: Journal, settings: Settings, drain: Callable[[], None], *, on_platform: bool
) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those that have come.

    waitress ends at once when it is told to; so its loop is run here, and its listener closed
    first. It has no public name for its connections: its version is pinned, and tests hold it.
    """
    raise_descriptor_limit()
    server = _make_server(app, settings, on_platform=on_platform)
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    log.info("listening on http://%s:%s", settings.host, settings.port)
    while not asked:
        _turn(server)
    drain()
    log.info("ending: finishing what has come")
    _finish(server)
    log.info("ended")
    for number in (signal.SIGTERM, signal.SIGINT):
        # A platform may say it twice.
        signal.signal(number, signal.SIG_IGN)


def _make_server(app: Journal, settings: Settings, *, on_platform: bool) -> Any:  # noqa: ANN401
    # Each request beyond the idle threads would otherwise be a line in the log.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Only a platform's router stands before us without fail; anywhere else a client could lie.
    proxy: dict[str, Any] = (
        {
            "trusted_proxy": "*",
            "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"},
        }
        if on_platform
        else {}
    )
    try:
        return _create_server(app, settings, proxy)
    except OSError as error:
        raise SettingError(
            f"HOST={settings.host} PORT={settings.port}: cannot be listened on: {error.strerror};"
            f" end what holds it, or choose another PORT"
        ) from None


def _create_server(app: Journal, settings: Settings, proxy: dict[str, Any]) -> Any:  # noqa: ANN401
    # A name may stand for several addresses; one socket of ours keeps it one server.
    family, _, _, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    return waitress.create_server(
        app,
        sockets=[listener],
        threads=settings.web_threads,
        ident="",
        connection_limit=CONNECTIONS,
        channel_timeout=60,
        cleanup_interval=15,
        max_request_body_size=MOST_BODY_BYTES,
        max_request_header_size=64 * 1024,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=True,
        **proxy,
    )


def raise_descriptor_limit() -> None:
    """Allow as many connections as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + SPARE_DESCRIPTORS
    if soft < wanted and soft != resource.RLIM_INFINITY:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _turn(server: Any) -> None:  # noqa: ANN401
    server.asyncore.loop(timeout=LOOP_SECONDS, map=server._map, count=1, use_poll=True)  # noqa: SLF001


def _finish(server: Any) -> None:  # noqa: ANN401
    """Take what waits in the backlog, close the listener, and see every request answered."""
    for _ in range(BACKLOG):
        # It accepts one connection a turn.
        if not _is_waited_for(server.socket):
            break
        _turn(server)
    server.del_channel()
    server.socket.close()
    until = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until and any(_is_busy(one) for one in _channels(server)):
        _turn(server)
    server.task_dispatcher.shutdown()


def _is_waited_for(listener: socket.socket) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


def _channels(server: Any) -> list[Any]:  # noqa: ANN401
    return list(server.active_channels.values())


def _is_busy(channel: Any) -> bool:  # noqa: ANN401
    return bool(channel.requests or channel.total_outbufs_len or channel.request)
