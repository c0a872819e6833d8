"""Start a command in a process that the warm one forks."""

from __future__ import annotations

import atexit
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.processes import PATIENCE_SECONDS

from .words import ANSWER_BYTES

ROOT = Path(__file__).parent.parent.parent
# Variables that are read by Python or C's library when a process starts.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "MALLOC")


def may_be_warm(environment: Mapping[str, str]) -> bool:
    """Return whether a command with these variables of its own can be forked."""
    return not any(name.startswith(_READ_AT_START) for name in environment)


class WarmProcess:
    """A command that was forked, with the methods of `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], answers: socket.socket) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._answers = answers
        said = answers.recv(ANSWER_BYTES)
        assert said, "the warm process has ended; its error is above"
        self.pid = int(said)

    def poll(self) -> int | None:
        """Return the exit code, None while the command runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, which is negative if a signal ended the command."""
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                status = int(self._answers.recv(ANSWER_BYTES))
            except (TimeoutError, BlockingIOError) as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            self._answers.close()
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the command has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start_warm(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    out: IO[Any],
    err: IO[Any],
) -> WarmProcess:
    """Start `python -m ARGUMENTS` in a folder, with this process's limit of open files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    request = json.dumps([arguments, dict(environment), str(folder), limits]).encode()
    ours, theirs = socket.socketpair()
    with theirs:
        ends = [theirs.fileno(), out.fileno(), err.fileno()]
        socket.send_fds(_warm_process(), [request], ends)
    return WarmProcess(arguments, ours)


@cache
def _warm_process() -> socket.socket:
    """Start the process that forks, and return its socket; it ends when this process does."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    atexit.register(_end, ours, process)
    return ours


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    requests.close()
    process.wait(PATIENCE_SECONDS)
