"""The compute child: a process that computes recipes on rows, and has no access to the store."""

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

from db.errors import one_line
from enrich.enrichers.base import Unavailable, WrongAnswer
from enrich.enrichers.value import clean

from .recipe import ComputeRows, Recipe

LOWEST_PRIORITY = 19
STDOUT, STDERR = 1, 2
READY = "ready"
# <linux/prctl.h>
PR_SET_PDEATHSIG = 1
# The kernel kills processes with this score first when memory runs out.
HIGHEST_OOM_SCORE = "1000"

Fault: TypeAlias = Literal["recipe", "rows", "unavailable"]


@dataclass(frozen=True)
class Answer:
    """The values, or what failed and why.

    If the fault is "unavailable", `seconds` is how long to wait before the next try, 0 if unknown.
    """

    values: list[Any] = field(default_factory=list)
    fault: Fault | None = None
    error: str = ""
    seconds: float = 0.0


def run_child(pipe: Connection, parent: int) -> None:
    """Send READY, then an Answer to each `(fingerprint, recipe or None, rows)` until the pipe ends.

    A recipe is needed only the first time that its fingerprint is sent.
    """
    end_with_parent(parent)
    # A process group of its own: the processes that an enricher starts are stopped with it.
    os.setpgid(0, 0)
    # Ctrl-C reaches the whole process group; the parent alone decides when its child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield_to_others()
    # The output of a command is the worker's: what an enricher prints must not be part of it.
    os.dup2(STDERR, STDOUT)
    own = os.getpid()
    started: dict[str, ComputeRows] = {}
    pipe.send(READY)
    while True:
        try:
            fingerprint, recipe, rows = pipe.recv()
            answer = compute(started, fingerprint, recipe, rows)
            if os.getpid() != own:
                # An enricher forked and came back twice: one answer more would be the next one's.
                os._exit(1)
            pipe.send(answer)
        except (EOFError, OSError):
            # The parent has died or closed the pipe.
            return


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent dies, even if it is stopped or busy."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def yield_to_others() -> None:
    """Run at idle priority for CPU and disk, and be killed first when memory runs out."""
    os.nice(LOWEST_PRIORITY)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if hasattr(psutil, "IOPRIO_CLASS_IDLE"):
        with contextlib.suppress(OSError, psutil.Error):
            psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(HIGHEST_OOM_SCORE, "ascii")


def compute(
    started: dict[str, ComputeRows], fingerprint: str, recipe: Recipe | None, rows: list[Any]
) -> Answer:
    """Return the values of the rows, or what failed: the recipe or these rows.

    `started` keeps the functions of started recipes by fingerprint.
    """
    fault: Fault = "recipe"
    try:
        if recipe is not None:
            started[fingerprint] = recipe.start()
        fault = "rows"
        return Answer(started[fingerprint](rows))
    except WrongAnswer as error:
        return Answer(fault="recipe", error=one_line(str(error)))
    except Unavailable as error:
        return Answer(fault="unavailable", error=one_line(str(error)), seconds=error.seconds)
    except Exception as error:  # noqa: BLE001  a user's enricher may raise any exception
        return Answer(fault=fault, error=_describe(error))


def _describe(error: Exception) -> str:
    """Return the error and the line of code that raised it, without control characters."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    try:
        words = one_line(str(error))
    except Exception:  # noqa: BLE001  a user's error may have any code
        words = "it has no words"
    reason: str = clean(f"{type(error).__name__}: {words} ({last.filename}:{last.lineno})")
    return reason
