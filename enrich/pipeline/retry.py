"""Patience with a store that is out of reach for a moment, as while it is restarted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter
from tenacity.stop import stop_any, stop_when_event_set

from db.store.dialect import is_out_of_reach

T = TypeVar("T")


def retry_while_unreachable(stop: threading.Event, seconds: float, work: Callable[[], T]) -> T:
    """Do something again, after longer and longer pauses, while the store is out of reach.

    What was committed without our hearing of it is found by whoever does it again: a chunk is
    finished under its fence, and so once at most.
    """
    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_exponential_jitter(multiplier=0.1, max=5, jitter=0.1),
        stop=stop_any(stop_after_delay(seconds), stop_when_event_set(stop)),
        sleep=lambda pause: _sleep(stop, pause),
        reraise=True,
    )
    return retrying(work)


def _sleep(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, SQLAlchemyError) and is_out_of_reach(error)
