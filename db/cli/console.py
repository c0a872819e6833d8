"""Behaviour that all our commands share: one-line errors and clean exits on signals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import msgspec

from db.errors import VeilleuseError
from db.store.direct.errors import store_errors

from .terminal.error_line import print_error


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
    except store_errors() as error:
        from db.store.store import error_reason  # noqa: PLC0415  imports SQLAlchemy

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
    print_error(message)
    return 1


def counted(number: int, what: str) -> str:
    """Return a number of things, such as "1 row" or "2,201 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def as_json(value: object) -> str:
    """Return a value as indented JSON, as `--json` prints it."""
    return msgspec.json.format(msgspec.json.encode(value)).decode()
