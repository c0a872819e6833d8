"""The web process: `python -m serve`."""

from __future__ import annotations

import argparse
import os
import sys

from db.console import run_command
from db.settings import load_settings
from db.store import open_store

from .app import make_app
from .log import set_up_log
from .metrics import Metrics
from .progress import WorkerFigures
from .server import serve_forever
from .service import Service


def main() -> None:
    """Serve until SIGTERM."""
    settings = load_settings()
    on_platform = "DYNO" in os.environ
    set_up_log(settings.log_format)
    # One connection for each thread that answers, one for the watcher, one to spare; of those
    # that write, the backlog and the signal need one each.
    store = open_store(settings, settings.web_threads + 2)
    service = Service(store, settings, Metrics())
    _show_gauges(service)
    service.metrics.show(WorkerFigures(service.shelf))
    service.start()

    def drain() -> None:
        service.draining = True

    try:
        serve_forever(make_app(service), settings, drain, on_platform=on_platform)
    finally:
        service.close()


def _show_gauges(service: Service) -> None:
    gauge = service.metrics.gauge
    gauge(
        "generation", "The store's generation that is served.", lambda: service.catalog.generation
    )
    gauge("memory_answers", "Answers in memory.", lambda: len(service.catalog.memory))
    gauge("backlog_inputs", "Unseen inputs that wait to be written.", lambda: len(service.backlog))
    gauge(
        "backlog_dropped",
        "Unseen inputs for which there was no room.",
        lambda: service.backlog.dropped,
    )
    gauge("store_up", "1 while the store can be read.", lambda: float(service.shelf.is_up))


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m serve", description=__doc__).parse_args()
    sys.exit(run_command(main))
