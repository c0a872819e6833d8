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
from serve.memory import use_one_arena
from serve.telemetry.log import set_up_log

from .descriptor_limit import most_connections, raise_descriptor_limit
from .granian_app import BodyReader, GranianApp
from .listener import BACKLOG, listen, remove_socket, tcp_host, unix_path
from .waitress.channel import REQUEST_SECONDS, UPLOAD_SECONDS
from .waitress.server import MOST_HEADER_BYTES
from .web_process import WebProcess

# The environment variable that tells granian's processes the folder for their metrics.
METRICS_FOLDER = "VEILLEUSE_METRICS_FOLDER"
DRAIN_SECONDS = 25
# The owner and the group of a unix socket may connect, as with waitress.
SOCKET_MODE = 0o660
# What the bodies of all requests that are still coming may take.
MOST_HELD_BYTES = 32 * 2**20


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
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415
    from granian.http import HTTP1Settings  # noqa: PLC0415

    # Report a wrong setting once and here; otherwise each of granian's processes would report it,
    # again at every restart.
    open_store(settings, 1).close()
    listen(settings).close()
    remove_socket(settings.host)
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="veilleuse-web-") as folder:
        os.environ[METRICS_FOLDER] = folder
        Granian(
            f"{__name__}:application",
            factory=True,
            address=tcp_host(settings.host),
            port=settings.port,
            uds=unix_path(settings.host),
            uds_permissions=SOCKET_MODE,
            interface=Interfaces.RSGI,
            workers=settings.web_concurrency,
            backlog=BACKLOG,
            # Backpressure counts open connections, idle ones included. The default, the backlog,
            # would be too small.
            backpressure=most_connections(),
            http=HTTPModes.http1,
            websockets=False,
            # The first is the time of an idle connection as well as that of a head.
            http1_settings=HTTP1Settings(
                header_read_timeout=int(settings.keep_alive_seconds * 1000),
                max_buffer_size=MOST_HEADER_BYTES,
            ),
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN_SECONDS,
            log_access=False,
        ).serve()


def application() -> GranianApp:
    """Return the application; called in each of granian's processes."""
    use_one_arena()
    settings = load_settings()
    log_handler = set_up_log(settings.log_format, settings.log_file, settings.log_file_mib)
    web_process = WebProcess(settings, log_handler, Path(os.environ[METRICS_FOLDER]))
    web_process.start()
    atexit.register(web_process.close)
    reader = BodyReader(REQUEST_SECONDS, UPLOAD_SECONDS, MOST_HELD_BYTES)
    return GranianApp(web_process.app, reader, settings.web_threads)
