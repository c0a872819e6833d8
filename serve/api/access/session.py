"""Sessions: cookies that keep a browser signed in, without state on the server.

A session is the key that signed in, masked, and the time at which it ends. The mask is made of the
key's SHA-256 and that time. So a stolen cookie ends in time and does not show the key, the SHA-256
in the settings alone makes no session, and a key that leaves the settings ends its sessions.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable

from serve.api.wsgi import PREFIX, SCHEME, Environ

COOKIE = "veilleuse_session"
# Machines' clocks differ a little.
CLOCK_SECONDS = 60
_VALUE = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{1,2000})")


def digest_of(key: str) -> bytes:
    """Return the SHA-256 of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def make_session(key: str, ends_at: int) -> str:
    """Return the value of the cookie for a key, until a time in seconds since 1970."""
    masked = _mask(key.encode(), digest_of(key), ends_at)
    return f"{ends_at}.{base64.urlsafe_b64encode(masked).decode().rstrip('=')}"


def session_end(session: str, now: float, most_seconds: float) -> int:
    """Return when a session ends, 0 if it has ended or is none.

    A session that ends later than one begun now has been made before SESSION_HOURS was lowered.
    """
    match = _VALUE.fullmatch(session)
    ends_at = int(match[1]) if match else 0
    return ends_at if now < ends_at <= now + most_seconds + CLOCK_SECONDS else 0


def open_session(session: str, digests: Iterable[bytes]) -> str:
    """Return the key of a session, "" unless its SHA-256 is among the digests."""
    match = _VALUE.fullmatch(session)
    if match is None:
        return ""
    try:
        masked = base64.urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4))
    except binascii.Error:
        return ""
    for digest in digests:
        key = _mask(masked, digest, int(match[1]))
        if hashlib.sha256(key).digest() == digest:
            return key.decode()
    return ""


def _mask(data: bytes, digest: bytes, ends_at: int) -> bytes:
    """Return the data with a mask on it, or without it if it has one."""
    stream = hashlib.shake_256(b"veilleuse session" + digest + str(ends_at).encode())
    mask = stream.digest(len(data))
    return bytes(one ^ other for one, other in zip(data, mask, strict=True))


def read_cookie(environ: Environ) -> str:
    """Return the session in a request's cookies, "" without one."""
    cookies: str = environ.get("HTTP_COOKIE", "")
    if not cookies:
        return ""
    wanted = _cookie_name(environ)
    # Parsed by hand: another application's malformed cookie must not hide the session.
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == wanted:
            return value.strip('"')
    return ""


def set_cookie(environ: Environ, session: str, seconds: int) -> str:
    """Return the Set-Cookie header that keeps a session; 0 seconds remove it."""
    path = environ.get(PREFIX, "") or "/"
    secure = "; Secure" if environ[SCHEME] == "https" else ""
    return (
        f"{_cookie_name(environ)}={session}; Path={path}; Max-Age={seconds}; HttpOnly;"
        f" SameSite=Strict{secure}"
    )


def _cookie_name(environ: Environ) -> str:
    """Return a name with which browsers let no other host, and no plain HTTP, set the cookie."""
    if environ[SCHEME] != "https":
        return COOKIE
    return f"__Secure-{COOKIE}" if environ.get(PREFIX) else f"__Host-{COOKIE}"
