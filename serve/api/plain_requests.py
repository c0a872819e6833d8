"""Plain requests: GETs for predictions whose head is known, which are answered without WSGI.

Most clients send the same header lines with every request. Once a request has been answered in
full, with everything that its header lines could mean, the next one with the same lines from the
same address can differ only in its path and its query. Making a WSGI environ of it, and reading it
back, took more time than the answer.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from db.records.encoded_inputs import slices
from serve.prediction.cache import CachedResponse

from .access.api_keys import AccessControl
from .fast_path import FastPath, PlainRequest, route_of
from .request_log import RequestLog
from .wsgi import HEAD, PREFIX, Environ, Headers

# Heads beyond them are learnt in place of all others. One of the usual length takes 300 bytes.
MOST_HEADS = 2048
MOST_HEAD_CHARACTERS = 1000
# More at once are no quicker, and the first of them would wait for all others.
MOST_TOGETHER = 32
# Headers that make a request differ from another with the same address. A cookie may be a session,
# which ends.
_SPECIAL = ("HTTP_X_REQUEST_ID", "HTTP_COOKIE")


class PlainAnswer(NamedTuple):
    """The response to a plain request, and the request's id."""

    response: CachedResponse
    request_id: str


class PlainRequests:
    """Answers plain requests as the middleware does, and learns which ones are plain."""

    def __init__(
        self,
        fast_path: FastPath,
        access: AccessControl,
        request_log: RequestLog,
        constant_headers: Mapping[str, Headers],
        *,
        learns: bool,
    ) -> None:
        self._fast_path = fast_path
        self._access = access
        self._request_log = request_log
        # The headers of an answer that are always the same, by its source.
        self.constant_headers = constant_headers
        self._learns = learns
        self._clients: dict[Hashable, str] = {}

    def learn(self, environ: Environ) -> None:
        """Remember the head of a request that the fast path has answered."""
        head = environ.get(HEAD)
        if head is None or not self._learns or environ[PREFIX]:
            return
        if any(name in environ for name in _SPECIAL) or len(str(head)) > MOST_HEAD_CHARACTERS:
            return
        if len(self._clients) >= MOST_HEADS:
            self._clients.clear()
        self._clients[head] = self._access.client(environ)

    def find_client(self, head: Hashable) -> str | None:
        """Return the client that sends requests with a head, None if the head is not known."""
        return self._clients.get(head)

    def answer(self, requests: Sequence[PlainRequest]) -> Iterator[PlainAnswer | None]:
        """Yield the answers to plain requests that have come together; the first can go at once.

        None stands where the middleware must answer: after an error, which a view explains, or
        where the answer would have to wait for a store on another machine.
        """
        for some in slices(requests, MOST_TOGETHER):
            yield from self._fast_path.guarded(partial(self._answer, some)) or [None] * len(some)

    def _answer(self, requests: Sequence[PlainRequest]) -> list[PlainAnswer | None]:
        started = time.perf_counter()
        responses = self._fast_path.answer_together(requests)
        answers = [one and PlainAnswer(one, self._request_log.new_id()) for one in responses]
        seconds = time.perf_counter() - started
        for request, answer in zip(requests, answers, strict=True):
            if answer is not None:
                self._record(request, answer, seconds)
        return answers

    def _record(self, request: PlainRequest, answer: PlainAnswer, seconds: float) -> None:
        """Keep, count and log an answer."""
        response, request_id = answer
        self._fast_path.record(request_id, response)
        asked, route = (request.path, request.query), route_of(request.path)
        self._request_log.record_answer(asked, route, seconds, request_id)
