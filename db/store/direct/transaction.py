"""Transactions that are repeated where the store ended them for the sake of another one."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from .errors import is_transient

T = TypeVar("T")
C = TypeVar("C")

TRIES = 5


def write(
    begin: Callable[[], AbstractContextManager[C]], work: Callable[[C], T], seconds: float
) -> T:
    """Run `work` in a transaction; repeat it if another transaction made the store abort it.

    It is not repeated after so many seconds.
    """
    until = time.monotonic() + seconds
    for attempt in range(TRIES - 1):
        try:
            with begin() as connection:
                return work(connection)
        except Exception as error:
            if not is_transient(error) or time.monotonic() >= until:
                raise
            # A random pause, so that the same transactions do not collide again.
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  no secret
    with begin() as connection:
        return work(connection)
