"""A web process: what it holds, from its first request to its last."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from db.settings import Settings
from db.store.engine import open_store
from serve.api.middleware import RequestMiddleware
from serve.app import make_app
from serve.pages.dashboard import Dashboard
from serve.prediction.service import Service
from serve.telemetry.log import BatchedHandler
from serve.telemetry.multiprocess import MultiprocessMetrics, ProcessMetrics
from serve.telemetry.prometheus import Metrics
from serve.telemetry.reporter import TelemetryReporter
from serve.telemetry.worker_metrics import WorkerCollector

from .waitress_server import ServerHooks, serve_until_told

# Of each connection to SQLite: the root of a tree and a few pages more. The system keeps the
# others for all connections together.
PAGE_CACHE_KIB = 256


class WebProcess:
    """Everything that one process answers with."""

    def __init__(
        self, settings: Settings, log_handler: BatchedHandler, folder: Path | None
    ) -> None:
        # One connection for each thread that answers, one for the loop, the watcher and the
        # backlog; of those that write, the backlog and the clerk need one each.
        self._store = open_store(settings, settings.web_threads + 3, page_cache_kib=PAGE_CACHE_KIB)
        self._service = Service(self._store, settings)
        self._log_handler = log_handler
        process_metrics = MultiprocessMetrics(folder, self._figures)
        metrics = Metrics(process_metrics)
        metrics.show(WorkerCollector(self._service.store_reader))
        self._reporter = TelemetryReporter(self._store, self._service.counters, process_metrics)
        dashboard = Dashboard(self._service, process_metrics)
        self.app: RequestMiddleware = make_app(self._service, metrics, dashboard, log_handler)

    def start(self) -> None:
        """Begin all that goes on behind the answers."""
        self._log_handler.start()
        if not self._service.catalog.datasets:
            self._log_handler.log_line("there is no dataset yet; load one: python -m db load FILE")
        self._service.start()
        self._reporter.start()

    def drain(self) -> None:
        """Say from now on that this process wants no requests."""
        self._service.draining = True

    def close(self) -> None:
        """Write what waits."""
        self._service.close()
        self._reporter.close()
        self._log_handler.close()
        self._service.store_reader.close()
        self._store.close()

    def _figures(self) -> ProcessMetrics:
        service = self._service
        catalog, cache = service.catalog, service.catalog.cache
        return ProcessMetrics(
            counts=service.counters.counts(),
            amounts={
                "cache_answers": len(cache),
                "cache_bytes": cache.bytes,
                "unseen_queue_inputs": len(service.recorder),
                "unseen_queue_dropped": service.recorder.dropped,
                "requests_in_flight": service.counters.in_flight,
                "log_dropped": self._log_handler.dropped,
            },
            levels={
                "generation": catalog.generation,
                "store_up": float(service.store_reader.is_up),
            },
            models={one.name: one.model for one in catalog.datasets.values() if one.model},
        )


def serve_web_process(
    settings: Settings,
    log_handler: BatchedHandler,
    folder: Path | None,
    listener: socket.socket,
    calls: ServerHooks,
) -> bool:
    """Serve on the socket until told to end, or an heir takes over: returns whether one does."""
    web_process = WebProcess(settings, log_handler, folder)
    web_process.start()

    def listening() -> None:
        log_handler.log_line(
            f"process {os.getpid()} listens on http://{settings.host}:{settings.port}",
            process=os.getpid(),
        )
        calls.on_listen()

    try:
        told = replace(calls, on_listen=listening)
        return serve_until_told(web_process.app, settings, listener, told, web_process.drain)
    finally:
        web_process.close()
