"""Retries while the store cannot be reached for a moment, for example while it restarts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter
from tenacity.stop import stop_any, stop_when_event_set

from db.store.dialect import is_unreachable

T = TypeVar("T")


def retry_while_unreachable(stop: threading.Event, seconds: float, work: Callable[[], T]) -> T:
    """Run `work`, and again after growing pauses while the store cannot be reached.

    Work that was committed without an answer runs a second time: a chunk is finished under its
    fence, and so at most once.
    """
    retrying = Retrying(
        retry=retry_if_exception(_is_temporary),
        wait=wait_exponential_jitter(multiplier=0.1, max=5, jitter=0.1),
        stop=stop_any(stop_after_delay(seconds), stop_when_event_set(stop)),
        sleep=lambda pause: _sleep(stop, pause),
        reraise=True,
    )
    return retrying(work)


def _sleep(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)


def _is_temporary(error: BaseException) -> bool:
    return isinstance(error, SQLAlchemyError) and is_unreachable(error)
