"""API keys: which requests may read predictions, and which may change records."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable

from db.settings import Settings
from serve.api.wsgi import CLIENT_ADDRESS, Environ

from .host_check import may_list_records
from .key_guesses import NO_KEY, KeyGuesses, Verdict
from .rate_limit import TooManyRequests, client_of
from .session import digest_of, make_session, open_session, read_cookie, session_end

HASHED = "sha256:"
# Where a request's verdict is kept, so that its key is checked and counted once.
_VERDICT = "veilleuse.key_verdict"
_OWNER_CHARACTERS = 16


class Keys:
    """A set of keys, each as good as any other; two while one is being replaced.

    In the settings a key is written as it is, or as sha256: and the 64 hex digits of its hash.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self.digests = [
            bytes.fromhex(key.removeprefix(HASHED)) if key.startswith(HASHED) else digest_of(key)
            for key in keys
        ]

    def __bool__(self) -> bool:
        return bool(self.digests)

    def contains(self, key: str) -> bool:
        """Return whether a key is in the set, in the same time for every key."""
        digest = digest_of(key)
        # Every digest is compared, so that the time does not tell which one was close.
        return sum(hmac.compare_digest(digest, known) for known in self.digests) > 0


def bearer_key(environ: Environ) -> str:
    """Return the key in a request's Authorization header, "" without one."""
    authorization: str = environ.get("HTTP_AUTHORIZATION", "")
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class AccessControl:
    """Decides by its key what a request may do, and which client it is charged to."""

    def __init__(self, settings: Settings) -> None:
        self._read, self._write = Keys(settings.read_keys), Keys(settings.api_keys)
        self._guesses = KeyGuesses()
        self.session_seconds = int(settings.session_hours * 3600)
        self.is_open = not self._read
        self.lists_records = may_list_records(settings)
        self.can_write = bool(self._write)

    def may_read(self, environ: Environ) -> bool:
        """Return whether a request may read; every request may where READ_KEYS is empty.

        Raises TooManyRequests if the key is new and the client has sent too many wrong ones, as the
        other methods do that check a key, except `client`.
        """
        return self.is_open or self._verdict(environ).may_read

    def may_list(self, environ: Environ) -> bool:
        """Return whether a request may see records: what others have imported and asked."""
        return self.lists_records or self._verdict(environ).may_read

    def may_write(self, environ: Environ) -> bool:
        """Return whether a request may add and delete records; none may where API_KEYS is empty.

        A session is not enough: a browser also sends it with requests that other pages make.
        """
        return bool(bearer_key(environ)) and self._verdict(environ).may_write

    def may_change(self, environ: Environ) -> bool:
        """Return whether a form of our own pages may change records: its session or key may write.

        The caller makes sure that the form is our own.
        """
        return self._verdict(environ).may_write

    def client(self, environ: Environ) -> str:
        """Return the name of the client that a request is charged to: its key's, or its address."""
        address = client_of(environ[CLIENT_ADDRESS])
        if "HTTP_AUTHORIZATION" not in environ and "HTTP_COOKIE" not in environ:
            return address
        try:
            return self._verdict(environ).owner or address
        except TooManyRequests:
            return address

    def check_key(self, environ: Environ, key: str) -> Verdict:
        """Return what a key allows that a person has typed into a form."""
        return self._judge(environ, key, "") if key else NO_KEY

    def new_session(self, key: str) -> str:
        """Return a session for a key, which begins now."""
        return make_session(key, int(time.time()) + self.session_seconds)

    def _verdict(self, environ: Environ) -> Verdict:
        verdict: Verdict | None = environ.get(_VERDICT)
        if verdict is None:
            verdict = environ[_VERDICT] = self._find_verdict(environ)
        return verdict

    def _find_verdict(self, environ: Environ) -> Verdict:
        key = bearer_key(environ)
        if key:
            return self._judge(environ, key, "")
        session = read_cookie(environ)
        if session and session_end(session, time.time(), self.session_seconds):
            return self._judge(environ, "", session)
        return NO_KEY

    def _judge(self, environ: Environ, key: str, session: str) -> Verdict:
        """Return what a key allows, or the key of a session that has not ended."""
        client, digest = client_of(environ[CLIENT_ADDRESS]), digest_of(key or session)
        verdict = self._guesses.find(client, digest)
        if verdict is None:
            verdict = self._weigh(key or self._open(session))
            self._guesses.add(client, digest, verdict)
        return verdict

    def _open(self, session: str) -> str:
        return open_session(session, (*self._read.digests, *self._write.digests))

    def _weigh(self, key: str) -> Verdict:
        may_write = bool(key) and self._write.contains(key)
        may_read = may_write or (bool(key) and self._read.contains(key))
        owner = f"key {digest_of(key).hex()[:_OWNER_CHARACTERS]}" if may_read else ""
        return Verdict(may_read, may_write, owner)
