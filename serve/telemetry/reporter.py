"""The reporter: a background thread that publishes this process's telemetry."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from functools import partial

from db.store.direct.direct_store import DirectStore
from db.store.direct.errors import error_name, store_errors
from db.traffic.prediction_counts import add_prediction_counts
from db.traffic.web_load import delete_load, write_load

from .counters import RequestCounters
from .multiprocess import MultiprocessMetrics

REPORT_SECONDS = 1.0
SERVED_SECONDS = 10.0
CLOSE_SECONDS = 5.0

log = logging.getLogger("veilleuse.web")


class TelemetryReporter:
    """Writes load and served predictions to the store, and metrics to the shared folder.

    Workers read the load in the store. It is written in each second with requests; without a
    recent row, workers take the load as zero.
    """

    def __init__(
        self, store: DirectStore, counters: RequestCounters, process_metrics: MultiprocessMetrics
    ) -> None:
        self._store = store
        self._counters = counters
        self._process_metrics = process_metrics
        self._process = secrets.token_hex(8)
        self._closing = threading.Event()
        self._has_written_load = False
        self._thread = threading.Thread(target=self._run, name="telemetry-reporter", daemon=True)

    def start(self) -> None:
        """Publish the first metrics and start the thread."""
        self._process_metrics.publish()
        self._thread.start()

    def close(self) -> None:
        """Write what has not been reported yet, remove this process's load, and stop."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)
        self._process_metrics.publish()

    def _run(self) -> None:
        seconds_since_served = 0.0
        while not self._closing.wait(REPORT_SECONDS):
            # Metrics first: they must be fresh while the store hangs.
            self._try(self._process_metrics.publish)
            self._try(self._write_load)
            seconds_since_served += REPORT_SECONDS
            if seconds_since_served >= SERVED_SECONDS:
                self._try(self._write_served)
                seconds_since_served = 0.0
        self._try(self._write_served)
        if self._has_written_load:
            self._write(partial(delete_load, process=self._process))

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            # The thread must survive any error: the next report may succeed.
            log.exception("telemetry cannot be reported now")

    def _write_load(self) -> None:
        load = self._counters.take_load()
        if load.requests_per_second or load.in_flight:
            self._write(partial(write_load, process=self._process, load=load))
            self._has_written_load = True

    def _write_served(self) -> None:
        served = self._counters.take_served()
        if served and not self._write(partial(add_prediction_counts, counts=served)):
            self._counters.restore_served(served)

    def _write(self, work: partial[None]) -> bool:
        """Run a transaction; return False if the store is down."""
        try:
            self._store.write(work)
        except store_errors() as error:
            log.debug("telemetry cannot be written now: %s", error_name(error))
            return False

        return True
