"""Access: who may read answers, and who may add records."""

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
    """Keys of which any one opens: two of them while one takes the other's place.

    A key stands in the settings as it is, or as sha256: with the 64 hex digits of its hash.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [
            bytes.fromhex(key.removeprefix(HASHED)) if key.startswith(HASHED) else _digest(key)
            for key in keys
        ]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def fits(self, given: str) -> bool:
        """Tell whether a key is one of them, taking the same time whichever it is."""
        digest = _digest(given)
        # Each is compared, so that the time tells nothing of which came close.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def bearer_key(environ: Environ) -> str:
    """Return the key that a request brings in its Authorization; "" without."""
    authorization: str = environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def as_cookie(key: str) -> str:
    """Return a key as a cookie can hold it, whatever is in it."""
    return quote(key, safe="")


def _cookie_key(environ: Environ) -> str:
    # By hand: what other applications on this host leave there must not hide ours.
    cookies: str = environ.get("HTTP_COOKIE", "")
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE:
            return unquote(value.strip('"'))
    return ""


class AccessControl:
    """Decides on a request by its key."""

    def __init__(self, read_keys: Iterable[str], api_keys: Iterable[str]) -> None:
        self._read, self._write = Keys(read_keys), Keys(api_keys)
        self.is_open = not self._read

    def may_read(self, environ: Environ) -> bool:
        """Tell whether it may have answers: everybody where READ_KEYS is empty."""
        if self.is_open:
            return True
        return self.is_read_key(bearer_key(environ) or _cookie_key(environ))

    def is_read_key(self, key: str) -> bool:
        """Tell whether a key opens answers and pages."""
        return bool(key) and (self._read.fits(key) or self._write.fits(key))

    def is_api_key(self, key: str) -> bool:
        """Tell whether a key allows to add records, and to forget them."""
        return bool(key) and self._write.fits(key)

    def may_write(self, environ: Environ) -> bool:
        """Tell whether it may add and forget records: nobody where API_KEYS is empty.

        A cookie is not enough: a browser sends that along with what other pages make it send.
        """
        return self.is_api_key(bearer_key(environ))
