"""X-Forwarded headers of trusted proxies: client address, scheme, host and path prefix.

Only these headers are read. A proxy that writes only X-Forwarded-For passes on the Forwarded header
(RFC 7239) that the client has sent, so that header cannot be believed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from db.settings.value import path_prefix
from serve.api.wsgi import CLIENT_ADDRESS, HOST, PREFIX, SCHEME, UNIX, Environ

FOR = "HTTP_X_FORWARDED_FOR"
PROTO = "HTTP_X_FORWARDED_PROTO"
FORWARDED_HOST = "HTTP_X_FORWARDED_HOST"
FORWARDED_PREFIX = "HTTP_X_FORWARDED_PREFIX"
# Bottle and other libraries believe these headers, no matter who sends them.
HEADERS = (FOR, PROTO, FORWARDED_HOST, FORWARDED_PREFIX, "HTTP_X_FORWARDED_PORT", "HTTP_FORWARDED")
# What proxies pass on unread may be of any length.
MOST_ADDRESS_CHARACTERS = 100
MOST_PREFIX_CHARACTERS = 200
EVERY_PEER = ("0.0.0.0/0", "::/0", UNIX)


@dataclass(frozen=True)
class Forwarding:
    """Which peers are believed, and what of their headers.

    `is_believed` says so of a peer, and `is_proxy` of an address in X-Forwarded-For: the client is
    the last address in it that is no proxy's. A proxy that is a platform's router cannot be told
    by its address, and passes on X-Forwarded-Host and X-Forwarded-Prefix as clients sent them.
    """

    is_believed: Callable[[str], bool]
    is_proxy: Callable[[str], bool]
    base_path: str = ""
    names_host: bool = True

    def apply(self, environ: Environ) -> None:
        """Put what a believed peer says in its place, and drop all X-Forwarded headers."""
        peer = environ[CLIENT_ADDRESS] = without_port(environ[CLIENT_ADDRESS] or UNIX)
        environ[PREFIX] = self.base_path
        if self.is_believed(peer):
            self._believe(environ, peer)
        if environ[PREFIX]:
            environ["PATH_INFO"] = strip_prefix(environ["PATH_INFO"], environ[PREFIX])
        for header in HEADERS:
            environ.pop(header, None)

    def _believe(self, environ: Environ, peer: str) -> None:
        environ[CLIENT_ADDRESS] = self.client_address(peer, environ.get(FOR, ""))
        scheme = last_of(environ.get(PROTO, "")).lower()
        if scheme in {"http", "https"}:
            environ[SCHEME] = scheme
        if self.names_host:
            if host := last_of(environ.get(FORWARDED_HOST, "")):
                environ[HOST] = host
            environ[PREFIX] = read_prefix(environ.get(FORWARDED_PREFIX, "")) or self.base_path

    def client_address(self, peer: str, forwarded_for: str) -> str:
        """Return the client's address; each proxy has added its own peer at the end of the list."""
        client = peer
        for text in reversed(forwarded_for.split(",")):
            address = without_port(text) if len(text) <= MOST_ADDRESS_CHARACTERS else ""
            if not address:
                break
            client = address
            if not self.is_proxy(client):
                break
        return client


def make_forwarding(
    trusted: tuple[str, ...], base_path: str = "", *, has_router: bool = False
) -> Forwarding:
    """Return the decision for TRUSTED_PROXIES; `has_router` if a platform's router is before us."""
    is_trusted = member_of(trusted)
    if has_router and not trusted:
        return Forwarding(member_of(EVERY_PEER), is_trusted, base_path, names_host=False)
    return Forwarding(is_trusted, is_trusted, base_path)


def member_of(trusted: tuple[str, ...]) -> Callable[[str], bool]:
    """Return a function that says whether an address is in one of the networks."""
    networks = [ip_network(one, strict=False) for one in trusted if one != UNIX]

    @functools.lru_cache(maxsize=1024)
    def is_member(address: str) -> bool:
        if address == UNIX or not networks:
            return address == UNIX and UNIX in trusted
        try:
            return any(ip_address(address) in network for network in networks)
        except ValueError:
            return False

    return is_member


@functools.lru_cache(maxsize=1024)
def without_port(text: str) -> str:
    """Return an address without brackets, port and the form of IPv4 within IPv6; "" for others."""
    text = text.strip()
    if text == UNIX:
        return text
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def last_of(header: str) -> str:
    """Return the last value of a header: the one that the nearest proxy has added."""
    return header.rpartition(",")[2].strip()


def read_prefix(header: str) -> str:
    """Return the path in X-Forwarded-Prefix, "" if it is none."""
    prefix = last_of(header)
    if len(prefix) > MOST_PREFIX_CHARACTERS:
        return ""
    try:
        return path_prefix(prefix)
    except ValueError:
        return ""


def strip_prefix(path: str, prefix: str) -> str:
    """Return a path without the prefix of a proxy that passes it on; "/" for the prefix alone."""
    if path == prefix:
        return "/"
    return path[len(prefix) :] if path.startswith(f"{prefix}/") else path
