"""Behaviour that all our commands share: one-line errors, clean exits on signals, progress."""

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
from db.store.store import error_reason

PROGRESS_SECONDS = 5.0
TERMINAL_PROGRESS_SECONDS = 0.2


class Interrupted(BaseException):
    """The command received SIGINT or SIGTERM."""


def run_command(command: Callable[[], object]) -> int:
    """Run a command and return its exit code; print an error as one line on stderr."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        command()
        sys.stdout.flush()
    except VeilleuseError as error:
        return _fail(str(error))
    except SQLAlchemyError as error:
        return _fail(
            f"store: {error_reason(error)}; check DATABASE_URL, and that the store is running"
        )
    except Interrupted:
        return _fail("interrupted; finished work is kept, run the command again to continue")
    except BrokenPipeError:
        # The reader of our output closed the pipe, so Python must not flush into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def _fail(message: str) -> int:
    line = " ".join(message.split())
    print(f"veilleuse: {line}", file=sys.stderr)  # noqa: T201
    return 1


def counted(number: int, what: str) -> str:
    """Return a number of things, such as "1 row" or "2,201 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def as_json(value: object) -> str:
    """Return a value as indented JSON, as `--json` prints it."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()


class ProgressBar:
    """Shows the progress of long work: in place on a terminal, as a line now and then elsewhere."""

    def __init__(self, title: str, total: int | None = None, stream: IO[str] | None = None) -> None:
        self._title = title
        self._total = total
        self._stream = stream or sys.stderr
        self._started = self._shown_at = time.monotonic()
        self._done = 0
        self._note = ""
        self._on_terminal = self._stream.isatty()

    def expect(self, total: int) -> None:
        """Set the total, which was not known at the start."""
        self._total = total

    def advance(self, count: int, note: str = "") -> None:
        """Add to the count of what is done, and show it if the last line is old enough."""
        self._done += count
        self._note = note
        interval = TERMINAL_PROGRESS_SECONDS if self._on_terminal else PROGRESS_SECONDS
        now = time.monotonic()
        if now - self._shown_at >= interval:
            self._shown_at = now
            self._show(now, end="" if self._on_terminal else "\n")

    def end(self) -> None:
        """Clear the line on a terminal."""
        if self._on_terminal and self._done:
            self._stream.write("\r\033[K")

    def _show(self, now: float, end: str) -> None:
        rate = self._done / max(now - self._started, 1e-9)
        start = "\r\033[K" if self._on_terminal else ""
        note = f" ({self._note})" if self._note else ""
        self._stream.write(f"{start}{self._title}: {self._amount(rate)}{note}{end}")
        self._stream.flush()

    def _amount(self, rate: float) -> str:
        if not self._total:
            # Below one per second, a rounded rate would be 0 or 1.
            return f"{self._done:,}, {rate:,.0f}/s" if rate >= 1 else f"{self._done:,}"
        left = max(self._total - self._done, 0) / max(rate, 1e-9)
        bar = ""
        if self._on_terminal:
            filled = min(24 * self._done // self._total, 24)
            bar = f"[{'█' * filled}{'·' * (24 - filled)}] "
        return f"{bar}{self._done:,} of {self._total:,}, {left:,.0f} s left"
