"""Ask the web process of this machine whether it is ready: `python -m serve.healthcheck`.

Exit code 0: it is. It needs only the standard library, since containers run it every few seconds.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys

SECONDS = 2.0
# An address that means all addresses of a machine, and the one of them to ask.
_OF_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def connect(host: str, port: int) -> socket.socket:
    """Return a connection to where the web process listens; raises OSError."""
    if host.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        connection.connect(host.removeprefix("unix:"))
        return connection
    return socket.create_connection((local_host(host), port), timeout=SECONDS)


def local_host(host: str) -> str:
    """Return the host to which a client on this machine connects."""
    host = host.removeprefix("[").removesuffix("]")
    return _OF_ANY.get(host, host)


def is_ready(host: str, port: int) -> bool:
    """Return whether the web process answers that it is ready."""
    request = http.client.HTTPConnection("localhost", timeout=SECONDS)
    try:
        request.sock = connect(host, port)
        request.request("GET", "/readyz")
        return request.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        request.close()


def given_address() -> tuple[str, int]:
    """Return the settings HOST and PORT, or their defaults."""
    return os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or "8000")


def url_of(host: str, port: int) -> str:
    """Return the address of a server as people read it; a unix socket is shown as it is set."""
    if host.startswith("unix:"):
        return host
    host = host.removeprefix("[").removesuffix("]")
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


if __name__ == "__main__":
    sys.exit(0 if is_ready(*given_address()) else 1)
