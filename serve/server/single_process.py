"""The lone process: one that serves without a crew beside it, which would hold half as much again.

Whoever started it starts it again when it dies; on SIGHUP it becomes today's code by itself.
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
from .waitress_server import ServerHooks
from .web_process import serve_web_process


def serve_single_process(
    settings: Settings, log_handler: BatchedHandler, listener: socket.socket
) -> None:
    """Serve on the socket until SIGTERM."""
    # The threads that begin now never hear a signal: one that came to them just before the heir
    # takes over would be lost. The server listens to signals in this thread alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    preflight = PreflightCheck()

    def rehearse(_number: int, _frame: FrameType | None) -> None:
        preflight.begin()

    signal.signal(signal.SIGHUP, rehearse)
    is_succeeded = False
    # Told to end before it listens: nothing has come that could be lost.
    with contextlib.suppress(Interrupted):
        calls = ServerHooks(has_successor=preflight.has_passed)
        is_succeeded = serve_web_process(settings, log_handler, None, listener, calls)
    preflight.cancel()
    if is_succeeded:
        reexec(listener)
