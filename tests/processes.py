"""Functions that watch other processes and communicate with them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

# Only a hang takes this long, however busy the machine is.
PATIENCE_SECONDS = 300.0


def wait_for(
    what: Callable[[], T],
    why: Callable[[], object] = lambda: "it did not come about",
    *,
    seconds: float = PATIENCE_SECONDS,
    look_seconds: float = 0.1,
) -> T:
    """Return the first true result of `what`; after `seconds`, fail with the message of `why`."""
    until = time.monotonic() + seconds
    while not (seen := what()):
        assert time.monotonic() < until, why()
        time.sleep(look_seconds)
    return seen


def state(pid: int) -> str:
    """Return the kernel's letter for the state of a process, or "" if it does not exist."""
    return _state_and_threads(pid)[0]


def _state_and_threads(pid: int) -> tuple[str, int]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return "", 0
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[17])


def is_gone(pid: int) -> bool:
    """Return whether a process has ended with all its threads, reaped or not."""
    letter, threads = _state_and_threads(pid)
    # While its main thread is a zombie, another one may still hold its files and sockets.
    return letter in {"", "Z", "X"} and threads <= 1


def children_of(parent: int) -> set[int]:
    """Return the ids of a process's children, started by any of its threads."""
    tasks = Path(f"/proc/{parent}/task")
    return {int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


def line_of(process: subprocess.Popen[str]) -> str:
    """Return the next line of a process's output, which must exist."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, "it ended without a word"
    return line


def go_on(process: subprocess.Popen[str]) -> None:
    """Let a process continue that waits for a line on its standard input."""
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()
