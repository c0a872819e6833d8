"""Granian as the server instead of waitress: the same application, for thousands of users at once.

Its package is in requirements-granian.txt; it supervises its own processes.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import tempfile
from pathlib import Path

from db.errors import SettingError
from db.settings import Settings, load_settings
from db.store.store import open_store
from serve.api.wsgi import App
from serve.telemetry.log import set_up_log

from .waitress_server import BACKLOG, CONNECTIONS, raise_descriptor_limit
from .web_process import WebProcess

# The environment variable that tells granian's processes the folder for their metrics.
METRICS_FOLDER = "VEILLEUSE_METRICS_FOLDER"
DRAIN_SECONDS = 25


def check_granian() -> None:
    """Raise SettingError if granian is not installed."""
    if importlib.util.find_spec("granian") is None:
        raise SettingError(
            "SERVER=granian: the package granian is not installed;"
            " python -m pip install -r requirements-granian.txt"
        )


def serve_by_granian(settings: Settings) -> None:
    """Serve until SIGTERM."""
    check_granian()
    from granian import Granian  # noqa: PLC0415  installed only where it is used
    from granian.constants import Interfaces  # noqa: PLC0415

    # Report a wrong setting once and here; otherwise each of granian's processes would report it,
    # again at every restart.
    open_store(settings, 1).close()
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="veilleuse-web-") as folder:
        os.environ[METRICS_FOLDER] = folder
        Granian(
            f"{__name__}:application",
            factory=True,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=settings.web_concurrency,
            blocking_threads=settings.web_threads,
            backlog=BACKLOG,
            # Backpressure counts open connections, idle ones included. The default, the backlog,
            # would be too small.
            backpressure=CONNECTIONS,
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN_SECONDS,
            log_access=False,
        ).serve()


def application() -> App:
    """Return the WSGI application; called in each of granian's processes."""
    settings = load_settings()
    log_handler = set_up_log(settings.log_format, settings.log_file, settings.log_file_mib)
    web_process = WebProcess(settings, log_handler, Path(os.environ[METRICS_FOLDER]))
    web_process.start()
    atexit.register(web_process.close)
    return web_process.app
