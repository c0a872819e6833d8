"""API keys: which requests may read predictions, and which may change records."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import quote, unquote

from .wsgi import Environ

COOKIE = "veilleuse_key"
HASHED = "sha256:"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Keys:
    """A set of keys, each as good as any other; two while one is being replaced.

    In the settings a key is written as it is, or as sha256: and the 64 hex digits of its hash.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [
            bytes.fromhex(key.removeprefix(HASHED)) if key.startswith(HASHED) else _digest(key)
            for key in keys
        ]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def contains(self, key: str) -> bool:
        """Return whether a key is in the set, in the same time for every key."""
        digest = _digest(key)
        # Every digest is compared, so that the time does not tell which one was close.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def bearer_key(environ: Environ) -> str:
    """Return the key in a request's Authorization header, "" without one."""
    authorization: str = environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def as_cookie(key: str) -> str:
    """Return a key as a cookie's value, with every special character quoted."""
    return quote(key, safe="")


def _cookie_key(environ: Environ) -> str:
    # Parsed by hand: a malformed cookie of another application on this host must not hide ours.
    cookies: str = environ.get("HTTP_COOKIE", "")
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE:
            return unquote(value.strip('"'))
    return ""


class AccessControl:
    """Decides by its key what a request may do."""

    def __init__(self, read_keys: Iterable[str], api_keys: Iterable[str]) -> None:
        self._read, self._write = Keys(read_keys), Keys(api_keys)
        self.is_open = not self._read

    def may_read(self, environ: Environ) -> bool:
        """Return whether a request may read; every request may where READ_KEYS is empty."""
        if self.is_open:
            return True
        return self.is_read_key(bearer_key(environ) or _cookie_key(environ))

    def is_read_key(self, key: str) -> bool:
        """Return whether a key allows to read predictions and pages."""
        return bool(key) and (self._read.contains(key) or self._write.contains(key))

    def is_api_key(self, key: str) -> bool:
        """Return whether a key allows to add and to delete records."""
        return bool(key) and self._write.contains(key)

    def may_write(self, environ: Environ) -> bool:
        """Return whether a request may add and delete records; none may where API_KEYS is empty.

        A cookie is not enough: a browser also sends it with requests that other pages make.
        """
        return self.is_api_key(bearer_key(environ))
