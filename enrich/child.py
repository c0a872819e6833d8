"""The compute child: a process that knows recipes and rows, and no database."""

from __future__ import annotations

import os
import signal
import traceback
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeAlias

from .enricher import WrongAnswer
from .recipe import Recipe, Step

NICEST = 19

Fault: TypeAlias = Literal["recipe", "rows"]
# Values, what failed, and why.
Answer: TypeAlias = tuple[list[Any], Fault | None, str]


def run_child(pipe: Connection) -> None:
    """Answer `(fingerprint, recipe or None, rows)` until the pipe closes."""
    # Ctrl-C reaches the whole process group; the parent alone decides when its child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _yield_to_others()
    started: dict[str, Step] = {}
    while True:
        try:
            fingerprint, recipe, rows = pipe.recv()
            pipe.send(_compute(started, fingerprint, recipe, rows))
        except (EOFError, OSError):
            # The parent is gone, or wants no answer any more.
            return


def _yield_to_others() -> None:
    os.nice(NICEST)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _compute(
    started: dict[str, Step], fingerprint: str, recipe: Recipe | None, rows: list[Any]
) -> Answer:
    """Return values, or else what failed: a recipe that cannot start, or these rows."""
    fault: Fault = "recipe"
    try:
        if recipe is not None:
            started[fingerprint] = recipe.start()
        fault = "rows"
        return started[fingerprint](rows), None, ""
    except WrongAnswer as error:
        return [], "recipe", str(error)
    except Exception as error:  # noqa: BLE001  whatever a user's enricher raises is its error
        return [], fault, _in_words(error)


def _in_words(error: Exception) -> str:
    """Return the error and where it arose, in one line that a person can act on."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
