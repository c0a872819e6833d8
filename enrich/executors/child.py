"""The compute child: a process that knows recipes and rows, and no database."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, TypeAlias

import psutil

from enrich.enrichers.base import Unavailable, WrongAnswer

from .recipe import ComputeRows, Recipe

NICEST = 19
READY = "ready"
# <linux/prctl.h>
PR_SET_PDEATHSIG = 1
FIRST_TO_GO = "1000"

Fault: TypeAlias = Literal["recipe", "rows", "unavailable"]


@dataclass(frozen=True)
class Answer:
    """Values, or else what failed and why; of what is unavailable, for how long perhaps."""

    values: list[Any] = field(default_factory=list)
    fault: Fault | None = None
    error: str = ""
    seconds: float = 0.0


def run_child(pipe: Connection, parent: int) -> None:
    """Say "ready", then answer `(fingerprint, recipe or None, rows)` until the pipe closes."""
    end_with_parent(parent)
    # A group of its own, so that what an enricher starts is stopped and continued with it.
    os.setpgid(0, 0)
    # Ctrl-C reaches the whole process group; the parent alone decides when its child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield_to_others()
    started: dict[str, ComputeRows] = {}
    pipe.send(READY)
    while True:
        try:
            fingerprint, recipe, rows = pipe.recv()
            pipe.send(compute(started, fingerprint, recipe, rows))
        except (EOFError, OSError):
            # The parent is gone, or wants no answer any more.
            return


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent is gone, be it stopped or in a long call."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def yield_to_others() -> None:
    """Take CPU and disk that nobody else wants, and be the first to go when memory runs out."""
    os.nice(NICEST)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if hasattr(psutil, "IOPRIO_CLASS_IDLE"):
        with contextlib.suppress(OSError, psutil.Error):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, "ascii")


def compute(
    started: dict[str, ComputeRows], fingerprint: str, recipe: Recipe | None, rows: list[Any]
) -> Answer:
    """Return values, or else what failed: a recipe that cannot start, or these rows."""
    fault: Fault = "recipe"
    try:
        if recipe is not None:
            started[fingerprint] = recipe.start()
        fault = "rows"
        return Answer(started[fingerprint](rows))
    except WrongAnswer as error:
        return Answer(fault="recipe", error=str(error))
    except Unavailable as error:
        return Answer(fault="unavailable", error=str(error), seconds=error.seconds)
    except Exception as error:  # noqa: BLE001  whatever a user's enricher raises is its error
        return Answer(fault=fault, error=_in_words(error))


def _in_words(error: Exception) -> str:
    """Return the error and where it arose, in one line that a person can act on."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
