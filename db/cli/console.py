"""What every command line of ours does alike: one line for an error, a clean end on a signal."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import IO

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from db.errors import VeilleuseError
from db.store.engine import reason

PROGRESS_SECONDS = 5.0
TERMINAL_PROGRESS_SECONDS = 0.2


class Interrupted(BaseException):
    """A signal asked the command to end."""


def run_command(command: Callable[[], object]) -> int:
    """Run a command; returns its exit code, with at most one line on stderr."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        command()
        sys.stdout.flush()
    except VeilleuseError as error:
        return _fail(str(error))
    except SQLAlchemyError as error:
        return _fail(f"the store: {reason(error)}; is DATABASE_URL right, and the store up?")
    except Interrupted:
        return _fail("interrupted; what was finished is kept, run it again to go on")
    except BrokenPipeError:
        # Whoever read our output has had enough; Python must not flush into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _fail(message: str) -> int:
    line = " ".join(message.split())
    print(f"veilleuse: {line}", file=sys.stderr)  # noqa: T201
    return 1


def as_json(value: object) -> str:
    """Return a value as the JSON that `--json` prints."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


class ProgressBar:
    """Tells how far long work has come: in place on a terminal, now and then a line elsewhere."""

    def __init__(self, what: str, total: int | None = None, stream: IO[str] | None = None) -> None:
        self._what = what
        self._total = total
        self._stream = stream or sys.stderr
        self._started = self._told = time.monotonic()
        self._done = 0
        self._on_terminal = self._stream.isatty()

    def advance(self, count: int) -> None:
        """Say that so many more are done."""
        self._done += count
        pause = TERMINAL_PROGRESS_SECONDS if self._on_terminal else PROGRESS_SECONDS
        now = time.monotonic()
        if now - self._told >= pause:
            self._told = now
            self._tell(now, end="" if self._on_terminal else "\n")

    def end(self) -> None:
        """Leave the terminal's line free."""
        if self._on_terminal and self._done:
            self._stream.write("\r\033[K")

    def _tell(self, now: float, end: str) -> None:
        rate = self._done / max(now - self._started, 1e-9)
        start = "\r\033[K" if self._on_terminal else ""
        self._stream.write(f"{start}{self._what}: {self._amount(rate)}{end}")
        self._stream.flush()

    def _amount(self, rate: float) -> str:
        if not self._total:
            # Of what takes seconds each a rate says nothing.
            return f"{self._done:,}, {rate:,.0f}/s" if rate >= 1 else f"{self._done:,}"
        left = max(self._total - self._done, 0) / max(rate, 1e-9)
        bar = ""
        if self._on_terminal:
            filled = min(24 * self._done // self._total, 24)
            bar = f"[{'█' * filled}{'·' * (24 - filled)}] "
        return f"{bar}{self._done:,} of {self._total:,}, {left:,.0f} s left"
