"""Real web processes, on ports that nobody else uses."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

READY_SECONDS = 30.0


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_ready(web: subprocess.Popen[Any], port: int) -> None:
    """Wait until a web process says that it should get requests."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        assert web.poll() is None, "the web process has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("the web process is not ready")
