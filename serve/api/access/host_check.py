"""Host names that requests may ask for, and who can reach the server.

A page of another site can have its own name resolve to 127.0.0.1, and then reads a server there as
if it were that site's (DNS rebinding). Its requests show that name in their Host header.
"""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

from db.settings import Settings
from serve.api.problem import Refusal
from serve.api.wsgi import HOST, Environ

ANY_HOST = "*"
LOCAL_NAMES = ("localhost", ".localhost")
# Host headers that have been allowed are kept, so that most are checked by one look-up.
MOST_KNOWN = 64
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]{1,45}\]|[^:\[\]]{1,253})(?::[0-9]{0,5})?")


class HostCheck:
    """Refuses requests for hosts that are not allowed."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        names = [name.lower().rstrip(".").strip("[]") for name in allowed]
        self._names = frozenset(name for name in names if not name.startswith("."))
        self._suffixes = tuple(name for name in names if name.startswith("."))
        self._known: set[str] = set()

    def check(self, environ: Environ) -> None:
        """Raise Refusal unless the request's host is allowed; a request may name none."""
        host: str = environ.get(HOST, "")
        if host in self._known or not host:
            return
        if not self.allows(host):
            raise Refusal(421, "this server does not answer for this Host; add it to ALLOWED_HOSTS")
        if len(self._known) < MOST_KNOWN:
            self._known.add(host)

    def allows(self, host: str) -> bool:
        """Return whether a Host header is allowed; every address is, since no name hides it."""
        match = _HOST_AND_PORT.fullmatch(host)
        if match is None:
            return False
        name = match[1].lower().rstrip(".").strip("[]")
        return name in self._names or name.endswith(self._suffixes) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def make_host_check(settings: Settings) -> HostCheck | None:
    """Return the check that the settings ask for, None where every name is allowed."""
    if ANY_HOST in settings.allowed_hosts:
        return None
    if settings.allowed_hosts:
        return HostCheck(settings.allowed_hosts)
    if is_private(settings):
        return HostCheck((*LOCAL_NAMES, socket.gethostname()))
    return None


def is_private(settings: Settings) -> bool:
    """Return whether only this machine's users can ask a server without READ_KEYS.

    ALLOWED_HOSTS and TRUSTED_PROXIES say that a proxy passes on the requests of others.
    """
    has_others = settings.allowed_hosts or settings.trusted_proxies
    return not (settings.read_keys or has_others) and is_loopback(settings.host)


def is_loopback(host: str) -> bool:
    """Return whether HOST can be reached from this machine alone."""
    name = host.strip("[]").lower()
    return name == "localhost" or (_is_address(name) and ip_address(name).is_loopback)


def may_list_records(settings: Settings) -> bool:
    """Return whether every client may list records, which others have asked for."""
    return is_private(settings)


def exposure_warning(settings: Settings) -> str:
    """Return what others can see for lack of READ_KEYS, "" where that is nothing."""
    if settings.read_keys or is_private(settings):
        return ""
    return (
        f"READ_KEYS is not set: everyone who can reach HOST={settings.host} gets predictions, pages"
        " and metrics; set it, unless they may be public"
    )
