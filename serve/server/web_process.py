"""A web process: what it holds, from its first request to its last."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

from db.settings import Settings
from db.store.engine import open_store
from serve.api.middleware import Journal
from serve.app import make_app
from serve.pages.dashboard import Dashboard
from serve.prediction.service import Service
from serve.telemetry.log import Scribe
from serve.telemetry.multiprocess import Board, Figures
from serve.telemetry.prometheus import Metrics
from serve.telemetry.reporter import Clerk
from serve.telemetry.worker_metrics import WorkerFigures

from .waitress_server import Calls, serve_until_told

# Of each connection to SQLite: the root of a tree and a few pages more. The system keeps the
# others for all connections together.
PAGE_CACHE_KIB = 256


class Member:
    """Everything that one process answers with."""

    def __init__(self, settings: Settings, scribe: Scribe, folder: Path | None) -> None:
        # One connection for each thread that answers, one for the loop, the watcher and the
        # backlog; of those that write, the backlog and the clerk need one each.
        self._store = open_store(settings, settings.web_threads + 3, page_cache_kib=PAGE_CACHE_KIB)
        self._service = Service(self._store, settings)
        self._scribe = scribe
        board = Board(folder, self._figures)
        metrics = Metrics(board)
        metrics.show(WorkerFigures(self._service.shelf))
        self._clerk = Clerk(self._store, self._service.tally, board)
        dashboard = Dashboard(self._service, board)
        self.app: Journal = make_app(self._service, metrics, dashboard, scribe)

    def start(self) -> None:
        """Begin all that goes on behind the answers."""
        self._scribe.start()
        if not self._service.catalog.datasets:
            self._scribe.note("there is no dataset yet; load one: python -m db load FILE")
        self._service.start()
        self._clerk.start()

    def drain(self) -> None:
        """Say from now on that this process wants no requests."""
        self._service.draining = True

    def close(self) -> None:
        """Write what waits."""
        self._service.close()
        self._clerk.close()
        self._scribe.close()
        self._service.shelf.close()
        self._store.close()

    def _figures(self) -> Figures:
        service = self._service
        catalog, memory = service.catalog, service.catalog.memory
        return Figures(
            counts=service.tally.counts(),
            amounts={
                "memory_answers": len(memory),
                "memory_bytes": memory.bytes,
                "backlog_inputs": len(service.backlog),
                "backlog_dropped": service.backlog.dropped,
                "requests_in_flight": service.tally.in_flight,
                "log_dropped": self._scribe.dropped,
            },
            levels={
                "generation": catalog.generation,
                "store_up": float(service.shelf.is_up),
            },
            models={one.name: one.model for one in catalog.datasets.values() if one.model},
        )


def serve_as_member(
    settings: Settings,
    scribe: Scribe,
    folder: Path | None,
    listener: socket.socket,
    calls: Calls,
) -> bool:
    """Serve on the socket until told to end, or an heir takes over: returns whether one does."""
    member = Member(settings, scribe, folder)
    member.start()

    def listening() -> None:
        scribe.note(
            f"process {os.getpid()} listens on http://{settings.host}:{settings.port}",
            process=os.getpid(),
        )
        calls.on_listen()

    try:
        told = replace(calls, on_listen=listening)
        return serve_until_told(member.app, settings, listener, told, member.drain)
    finally:
        member.close()
