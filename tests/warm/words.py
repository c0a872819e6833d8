"""What the processes say to each other, and how those that were forked run and end."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import NoReturn

REQUEST_BYTES = 2**18
# Every answer is a number, padded to this length: two of them cannot be taken for one.
ANSWER_BYTES = 16


def answer(number: int) -> bytes:
    """Return a number as it is sent."""
    return f"{number:<{ANSWER_BYTES}}".encode()


def run_to_the_end(work: Callable[[], object]) -> NoReturn:
    """Run a program's work, and end as Python does, but without freeing what is imported.

    That would take longer than most commands.
    """
    code = _exit_code(work)
    # It waits for other threads.
    vars(threading)["_shutdown"]()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  Python, too, writes what nobody catches
        traceback.print_exc()
        return 1
    return 0
