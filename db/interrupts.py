"""Ctrl-C, which a terminal sends to all its processes, while another process starts."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Block SIGINT until the end of the block, and in each process that starts in it.

    Otherwise a new process ends with a traceback if the signal comes while Python starts.
    """
    # Its own start, which the first process would cause, unblocks SIGINT.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
