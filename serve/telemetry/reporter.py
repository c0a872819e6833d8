"""The clerk: tells others what this process does, once a second and behind the answers."""

from __future__ import annotations

import logging
import secrets
import threading
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from db.store.engine import Store
from db.traffic.prediction_counts import count_served
from db.traffic.web_load import end_signal, write_load

from .counters import RequestCounters
from .multiprocess import MultiprocessMetrics

TELL_SECONDS = 1.0
SERVED_SECONDS = 10.0
CLOSE_SECONDS = 5.0

log = logging.getLogger("veilleuse.web")


class TelemetryReporter:
    """Tells workers the load, the store what was answered, and other processes the figures.

    The load is told in every second in which there is some; silence says that there is none.
    """

    def __init__(
        self, store: Store, counters: RequestCounters, process_metrics: MultiprocessMetrics
    ) -> None:
        self._store = store
        self._counters = counters
        self._process_metrics = process_metrics
        self._process = secrets.token_hex(8)
        self._closing = threading.Event()
        self._has_told = False
        self._thread = threading.Thread(target=self._tell_on, name="clerk", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._process_metrics.publish()
        self._thread.start()

    def close(self) -> None:
        """Tell what is left, and take the load back."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        self._process_metrics.publish()

    def _tell_on(self) -> None:
        untold_seconds = 0.0
        while not self._closing.wait(TELL_SECONDS):
            self._tell_load()
            self._process_metrics.publish()
            untold_seconds += TELL_SECONDS
            if untold_seconds >= SERVED_SECONDS:
                self._tell_served()
                untold_seconds = 0.0
        self._tell_served()
        if self._has_told:
            self._write(partial(end_signal, process=self._process))

    def _tell_load(self) -> None:
        load = self._counters.take_load()
        if load.requests_per_second or load.in_flight:
            self._write(partial(write_load, process=self._process, load=load))
            self._has_told = True

    def _tell_served(self) -> None:
        taken = self._counters.take_served()
        if taken and not self._write(partial(count_served, counts=taken)):
            self._counters.give_served_back(taken)

    def _write(self, work: partial[None]) -> bool:
        try:
            self._store.write(work)
        except SQLAlchemyError as error:
            log.debug("others cannot be told now: %s", type(error).__name__)
            return False
        return True
