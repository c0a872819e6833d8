"""A single web process without a supervisor, which would take half as much memory again.

If it dies, the platform restarts it; on SIGHUP it executes the current code in its own place.
"""

from __future__ import annotations

import contextlib
import signal
import socket
from types import FrameType

from db.cli.console import Interrupted
from db.settings import Settings
from serve.telemetry.log import BatchedHandler

from .reload import STOP_SIGNALS, PreflightCheck, reexec
from .waitress.server import ServerHooks
from .web_process import serve_web_process


def serve_single_process(
    settings: Settings, log_handler: BatchedHandler, listener: socket.socket
) -> None:
    """Serve on the socket until SIGTERM."""
    # Threads inherit this mask, so that only the main thread receives signals. A signal delivered
    # to another thread just before the exec would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    preflight = PreflightCheck()

    def begin_preflight(_number: int, _frame: FrameType | None) -> None:
        preflight.begin()

    signal.signal(signal.SIGHUP, begin_preflight)
    has_successor = False
    # An interrupt before the server listens ends it: no request can be lost yet.
    with contextlib.suppress(Interrupted):
        hooks = ServerHooks(has_successor=preflight.has_passed)
        has_successor = serve_web_process(settings, log_handler, None, listener, hooks)
    preflight.cancel()
    if has_successor:
        reexec(listener)
