"""The listening socket: an address of IPv4 or IPv6, both at once, or a unix socket."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

from db.errors import SettingError
from db.settings import Settings
from serve.healthcheck import url_of

BACKLOG = 2048
UNIX_PREFIX = "unix:"
# Another user, such as a proxy's, reaches the socket by its group.
UNIX_MASK = 0o117
# By errno, what to do about it; the system's own words say what is wrong.
_ADVICE = {
    errno.EADDRINUSE: "end what holds it, or choose another PORT",
    errno.EADDRNOTAVAIL: "use 127.0.0.1, 0.0.0.0, :: or an address of this machine",
    errno.EACCES: "ports below 1024 need rights that this user lacks; choose another PORT",
    errno.EAFNOSUPPORT: "this system has no IPv6; use HOST=0.0.0.0",
}
_NO_NAME = "use an address of this machine, 0.0.0.0, ::, or unix:/PATH"


def unix_path(host: str) -> Path | None:
    """Return the path of a unix socket, None for a host."""
    return Path(host.removeprefix(UNIX_PREFIX)) if host.startswith(UNIX_PREFIX) else None


def tcp_host(host: str) -> str:
    """Return a host without the brackets of IPv6."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def shown_address(settings: Settings) -> str:
    """Return the address as log lines show it."""
    return url_of(settings.host, settings.port)


def listen(settings: Settings) -> socket.socket:
    """Return the listening socket; raises SettingError."""
    path = unix_path(settings.host)
    try:
        return _listen_tcp(settings) if path is None else _listen_unix(path)
    except (OSError, UnicodeError) as error:
        place = f"HOST={settings.host}" if path else f"HOST={settings.host} PORT={settings.port}"
        raise SettingError(f"{place}: cannot be listened on: {reason(error, path)}") from None


def reason(error: OSError | UnicodeError, path: Path | None) -> str:
    """Return what is wrong, and what to do."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"the name does not resolve; {_NO_NAME}"
    words = error.strerror or str(error)
    if path is not None:
        return f"{words}; name a file in a folder that exists and is writable"
    return f"{words}; {_ADVICE.get(error.errno or 0, _NO_NAME)}"


def _listen_tcp(settings: Settings) -> socket.socket:
    # A name may have several addresses; with one socket there is one server.
    family, _, _, _, address = socket.getaddrinfo(
        tcp_host(settings.host), settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    is_any = family == socket.AF_INET6 and address[0] == "::"
    return socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=is_any)


def _listen_unix(path: Path) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(UNIX_MASK)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _remove_stale(path: Path) -> None:
    """Remove the socket of a process that has died; raises OSError for anything else."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "it is a file and no socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        else:
            raise OSError(errno.EADDRINUSE, "another process listens on it")


def remove_socket(host: str) -> None:
    """Remove the file of a unix socket on which this process has listened to its end."""
    path = unix_path(host)
    if path is not None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
