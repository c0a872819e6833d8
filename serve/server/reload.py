"""Reload on SIGHUP: check that the current code and settings would start, then exec them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time

SECONDS = 60.0
# The signals that a server handles; they are blocked while new code takes the old code's place.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger("veilleuse.reload")


class PreflightCheck:
    """Runs `python -m serve --check` in a child process while this process goes on serving."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._until = 0.0

    @property
    def is_running(self) -> bool:
        """Whether the check was started and its result has not been read yet."""
        return self._process is not None

    def begin(self) -> None:
        """Start the check, unless it is running."""
        if self._process is None:
            log.info("asked to restart: checking whether the current code and settings would start")
            command = [sys.executable, "-m", "serve", "--check"]
            self._process = subprocess.Popen(command)  # noqa: S603
            self._until = time.monotonic() + SECONDS

    def cancel(self) -> None:
        """Kill the check if it is running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def has_passed(self) -> bool:
        """Return True once, when the check has succeeded; log a failed check.

        A check that takes longer than SECONDS is killed, which fails it.
        """
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            if time.monotonic() > self._until:
                self._process.kill()
            return False
        self._process = None
        if code:
            log.error("not restarted: the new code would not start; the old code goes on serving")
        return code == 0


def reexec(listener: socket.socket, *arguments: str) -> None:
    """Execute the current code in place of this process, keeping its id and its socket."""
    os.set_inheritable(listener.fileno(), True)  # noqa: FBT003
    command = [sys.executable, "-m", "serve", f"--listener={listener.fileno()}", *arguments]
    os.execv(sys.executable, command)  # noqa: S606
