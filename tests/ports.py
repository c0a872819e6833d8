"""Free ports, and whether a web process on a port is ready."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import urllib.request
from typing import Any

from .processes import PATIENCE_SECONDS, wait_for


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_ready(web: subprocess.Popen[Any], port: int) -> None:
    """Wait until a web process reports that it is ready for requests."""
    wait_for(lambda: is_ready(web, port), lambda: "it is not ready", look_seconds=0.05)


def is_ready(web: subprocess.Popen[Any], port: int) -> bool:
    """Return whether a web process, which must be running, reports that it is ready."""
    assert web.poll() is None, "the web process has ended"
    url = f"http://127.0.0.1:{port}/readyz"
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=PATIENCE_SECONDS):
        return True
    return False
