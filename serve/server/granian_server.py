"""Granian in waitress's place: the same application, for thousands of users at once.

Its package is in requirements-granian.txt; it brings processes and restarts of its own.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import tempfile
from pathlib import Path

from db.errors import SettingError
from db.settings import Settings, load_settings
from db.store.engine import open_store
from serve.api.wsgi import App
from serve.telemetry.log import set_up_log

from .waitress_server import BACKLOG, CONNECTIONS, raise_descriptor_limit
from .web_process import WebProcess

BOARD = "VEILLEUSE_BOARD"
DRAIN_SECONDS = 25


def check_granian() -> None:
    """Raise SettingError where its package is not there."""
    if importlib.util.find_spec("granian") is None:
        raise SettingError(
            "SERVER=granian: its package is not there;"
            " python -m pip install -r requirements-granian.txt"
        )


def serve_by_granian(settings: Settings) -> None:
    """Serve until SIGTERM."""
    check_granian()
    from granian import Granian  # noqa: PLC0415  only where it is asked for
    from granian.constants import Interfaces  # noqa: PLC0415

    # What is wrong is said once and here, not by each of its processes again and again.
    open_store(settings, 1).close()
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="veilleuse-web-") as folder:
        os.environ[BOARD] = folder
        Granian(
            f"{__name__}:application",
            factory=True,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.WSGI,
            workers=settings.web_concurrency,
            blocking_threads=settings.web_threads,
            backlog=BACKLOG,
            # It counts connections that are kept, idle ones too; as many as the backlog by itself.
            backpressure=CONNECTIONS,
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN_SECONDS,
            log_access=False,
        ).serve()


def application() -> App:
    """Return the application of one of its processes."""
    settings = load_settings()
    log_handler = set_up_log(settings.log_format, settings.log_file, settings.log_file_mib)
    web_process = WebProcess(settings, log_handler, Path(os.environ[BOARD]))
    web_process.start()
    atexit.register(web_process.close)
    return web_process.app
