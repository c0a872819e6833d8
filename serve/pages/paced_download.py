"""Large downloads: made as fast as their client reads them, for one client at a time.

Otherwise a few clients that read slowly would fill the disk, or hold all threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from bottle import request

from serve.api.problem import make_problem
from serve.api.response import respond_problem
from serve.api.wsgi import WAIT_UNTIL_READ

# What may wait for its client in the memory or on the disk of the server.
AHEAD_BYTES = 2**20
BUSY = "another large file is being downloaded; try again in a minute"

_turn = threading.Lock()


def pace(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Return the parts of a download, which waits for its client after each AHEAD_BYTES.

    Its first part raises a response of status 503 while another one is being made.
    """
    wait: Callable[[], None] | None = request.environ.get(WAIT_UNTIL_READ)
    return _paced(parts, wait)


def _paced(parts: Iterator[bytes], wait: Callable[[], None] | None) -> Iterator[bytes]:
    if not _turn.acquire(blocking=False):
        raise respond_problem(make_problem(503, BUSY))
    ahead = 0
    try:
        for part in parts:
            yield part
            ahead += len(part)
            if wait is not None and ahead > AHEAD_BYTES:
                wait()
                ahead = 0
    finally:
        _turn.release()
