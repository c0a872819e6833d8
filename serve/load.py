"""The load of a web process, told to the workers: whoever answers requests goes first."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.signal import WebLoad, end_signal, tell_load
from db.store import Store

TELL_SECONDS = 1.0
CLOSE_SECONDS = 2.0

log = logging.getLogger("veilleuse.web")


class Load:
    """Requests since it was last read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._seconds: list[float] = []
        self._since = time.monotonic()

    def begin(self) -> None:
        """Count a request that has come."""
        with self._lock:
            self._in_flight += 1

    def end(self, seconds: float) -> None:
        """Count one that was answered."""
        with self._lock:
            self._in_flight -= 1
            self._seconds.append(seconds)

    def take(self) -> WebLoad:
        """Return the load since the last time, and begin anew."""
        now = time.monotonic()
        with self._lock:
            taken, self._seconds = self._seconds, []
            since, self._since = self._since, now
            in_flight = self._in_flight
        return WebLoad(len(taken) / max(now - since, 1e-9), in_flight, p95(taken))


def p95(seconds: list[float]) -> float:
    """Return what 95 of 100 requests took at most, 0 without any."""
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1] if seconds else 0.0


class Signal:
    """Tells the load every second in which there is some; silence says that there is none."""

    def __init__(self, store: Store, load: Load) -> None:
        self._store = store
        self._load = load
        self._process = secrets.token_hex(8)
        self._closing = threading.Event()
        self._has_told = False
        self._thread = threading.Thread(target=self._tell, name="signal", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def close(self) -> None:
        """Take back what was told."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _tell(self) -> None:
        while not self._closing.wait(TELL_SECONDS):
            load = self._load.take()
            if load.requests_per_second or load.in_flight:
                self._write(partial(tell_load, process=self._process, load=load))
                self._has_told = True
        if self._has_told:
            self._write(partial(end_signal, process=self._process))

    def _write(self, work: partial[None]) -> None:
        try:
            self._store.write(work)
        except SQLAlchemyError as error:
            log.debug("the load cannot be told now: %s", type(error).__name__)
