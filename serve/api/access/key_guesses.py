"""Guesses at keys: how many wrong ones a client may send, and what is known of those it sent."""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple

from .rate_limit import RateLimit, TooManyRequests

# After the burst, a hundred guesses per client and hour.
GUESSES_PER_SECOND, GUESS_BURST = 100 / 3600, 20
# Of all clients together, so that many addresses do not help.
ALL_GUESSES_PER_SECOND, ALL_GUESS_BURST = 10.0, 200
MOST_VERDICTS = 10_000
ALL_CLIENTS = ""

log = logging.getLogger("veilleuse.request")


class Verdict(NamedTuple):
    """What a credential allows; `owner` names its key among clients, "" for a wrong one."""

    may_read: bool
    may_write: bool
    owner: str


NO_KEY = Verdict(may_read=False, may_write=False, owner="")


class KeyGuesses:
    """Limits wrong keys, and remembers keys by the client that sent them.

    A key that a client has sent before is no new guess. So neither a program that goes on sending
    an old key, nor one that guesses behind the same address, locks out who is known there.
    """

    def __init__(self) -> None:
        self._each = RateLimit(GUESSES_PER_SECOND, GUESS_BURST)
        self._all = RateLimit(ALL_GUESSES_PER_SECOND, ALL_GUESS_BURST)
        # Apart, so that wrong keys never push right ones out.
        self._right: dict[tuple[str, bytes], Verdict] = {}
        self._wrong: dict[tuple[str, bytes], Verdict] = {}
        self._lock = threading.Lock()

    def find(self, client: str, digest: bytes) -> Verdict | None:
        """Return the verdict on a credential of this client, None if it is new.

        Raises TooManyRequests if it is new and the client must wait before its next guess.
        """
        verdict = self._right.get((client, digest)) or self._wrong.get((client, digest))
        if verdict is None:
            wait = max(self._each.wait_seconds(client), self._all.wait_seconds(ALL_CLIENTS))
            if wait:
                raise TooManyRequests("too many wrong keys came from this client", wait)
        return verdict

    def add(self, client: str, digest: bytes, verdict: Verdict) -> None:
        """Keep the verdict on a new credential; count and log it if it is wrong."""
        if not verdict.owner:
            self._each.add(client)
            self._all.add(ALL_CLIENTS)
            log.warning("a wrong key came from %s", client)
        verdicts = self._right if verdict.owner else self._wrong
        with self._lock:
            if len(verdicts) >= MOST_VERDICTS:
                verdicts.pop(next(iter(verdicts)))
            verdicts[client, digest] = verdict
