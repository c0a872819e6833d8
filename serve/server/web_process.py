"""A web process: creates, starts and closes everything that answering requests needs."""

from __future__ import annotations

import logging
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

from db.settings import Settings
from db.store.direct.direct_store import DirectStore, open_direct_store
from db.store.limits import web_limits
from serve.api.access.host_check import exposure_warning
from serve.api.middleware import RequestMiddleware
from serve.app import make_app
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler
from serve.telemetry.multiprocess import MultiprocessMetrics, ProcessMetrics
from serve.telemetry.reporter import TelemetryReporter

from .listener import shown_address
from .waitress.server import ServerHooks, serve_until_stopped

# After so long a thread that waits gets Python's lock, which an answer needs several times. With
# Python's 5 ms, the median of answers beside requests for 1,000 predictions was 1.4 to 3.3 times
# as long, on a busy machine.
SWITCH_SECONDS = 0.001
# Page cache of each connection to SQLite: enough for the root of an index and a few pages. The
# operating system caches the other pages once for all connections.
PAGE_CACHE_KIB = 256

log = logging.getLogger("veilleuse.web")


class WebProcess:
    """The composition root: the store, the service, telemetry, and the application."""

    def __init__(
        self, settings: Settings, log_handler: BatchedHandler, folder: Path | None
    ) -> None:
        # Each thread has a connection of its own: those for requests, the main thread (which runs
        # the server's loop), the generation poller, the request recorder and the telemetry
        # reporter. Each of the two pools for pages has at most one for each of the first two.
        self._store = _open_store(settings, settings.web_threads + 1)
        self._service = PredictionService(self._store, settings)
        self._log_handler = log_handler
        process_metrics = MultiprocessMetrics(folder, self._read_metrics)
        self._reporter = TelemetryReporter(self._store, self._service.counters, process_metrics)
        self.app: RequestMiddleware = make_app(self._service, process_metrics, log_handler)

    def start(self) -> None:
        """Start the background threads."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._log_handler.start()
        if warning := exposure_warning(self._service.settings):
            log.warning(warning)
        if not self._service.catalog.datasets:
            self._log_handler.log_line("no dataset yet; load one: python -m db load FILE")
        self._service.start()
        self._reporter.start()

    def drain(self) -> None:
        """Make /readyz answer 503 from now on."""
        self._service.draining = True

    def close(self) -> None:
        """Write all queued inputs, counts and log lines, and close the store."""
        self._service.close()
        self._reporter.close()
        self._log_handler.close()
        self._service.store_reader.close()
        self._store.close()

    def _read_metrics(self) -> ProcessMetrics:
        service = self._service
        catalog, cache = service.catalog, service.catalog.cache
        return ProcessMetrics(
            counts=service.counters.counts(),
            amounts={
                "cache_answers": len(cache),
                "cache_bytes": cache.bytes,
                "answers_skipped": service.answers.skipped,
                "answers_refused": service.answers.refused,
                "unseen_queue_inputs": len(service.recorder),
                "unseen_queue_dropped": service.recorder.dropped,
                "unseen_queue_refused": service.recorder.refused,
                "unseen_queue_over_share": service.recorder.shares.refused,
                "requests_in_flight": service.counters.in_flight,
                "log_dropped": self._log_handler.dropped,
            },
            levels={
                "generation": catalog.generation,
                "store_up": float(service.store_reader.is_up),
            },
            models={it.name: it.model for it in catalog.datasets.values() if it.model},
        )


def _open_store(settings: Settings, connections: int) -> DirectStore:
    """Return the store with the limits of requests; raises StoreError."""
    # A database that sleeps while nobody asks needs longer to wake than a request may wait.
    open_direct_store(settings, 1).close()
    return open_direct_store(
        settings, connections, page_cache_kib=PAGE_CACHE_KIB, limits=web_limits(settings)
    )


def serve_web_process(
    settings: Settings,
    log_handler: BatchedHandler,
    folder: Path | None,
    listener: socket.socket,
    hooks: ServerHooks,
) -> bool:
    """Serve on the socket until a signal or a successor; return True for a successor."""
    web_process = WebProcess(settings, log_handler, folder)
    web_process.start()

    def on_listen() -> None:
        log_handler.log_line(
            f"process {os.getpid()} listens on {shown_address(settings)}",
            process=os.getpid(),
        )
        hooks.on_listen()

    try:
        logging_hooks = replace(hooks, on_listen=on_listen)
        return serve_until_stopped(
            web_process.app, settings, listener, logging_hooks, web_process.drain
        )

    finally:
        web_process.close()
