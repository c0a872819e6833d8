"""The rehearsal: on SIGHUP, whether today's code and settings would start is seen first."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time

SECONDS = 60.0
# By which a server is asked for something; held back while one code takes another's place.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

log = logging.getLogger("veilleuse.rehearsal")


class PreflightCheck:
    """Starts today's code beside what serves, as far as it goes without serving."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._until = 0.0

    @property
    def is_running(self) -> bool:
        """Whether its end has not been seen yet."""
        return self._process is not None

    def begin(self) -> None:
        """Begin, unless it has begun."""
        if self._process is None:
            log.info("asked to restart: looking whether this would start")
            command = [sys.executable, "-m", "serve", "--check"]
            self._process = subprocess.Popen(command)  # noqa: S603
            self._until = time.monotonic() + SECONDS

    def cancel(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def has_passed(self) -> bool:
        """See whether it has ended well; of one that has not, what serves now stays."""
        if self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            if time.monotonic() > self._until:
                self._process.kill()
            return False
        self._process = None
        if code:
            log.error("not restarted: it would not start; what serves now goes on serving")
        return code == 0


def reexec(listener: socket.socket, *arguments: str) -> None:
    """Become today's code, by exec: the process and its socket stay."""
    os.set_inheritable(listener.fileno(), True)  # noqa: FBT003
    command = [sys.executable, "-m", "serve", f"--listener={listener.fileno()}", *arguments]
    os.execv(sys.executable, command)  # noqa: S606
