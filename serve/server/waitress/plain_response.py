"""Plain requests on waitress: from the bytes that have come to the bytes that are sent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from waitress.utilities import build_http_date

from serve.api.fast_path import PlainRequest
from serve.api.plain_requests import PlainRequests
from serve.prediction.cache import CachedResponse

# All that a first line may have without a meaning of its own: no escapes in the path, no fragment.
_FIRST_LINE = re.compile(rb"GET (/predict(?:/[A-Za-z0-9._~-]+)?)\?([!\"$-~]*) HTTP/1\.1\r\n")


class PlainResponses:
    """Reads plain requests out of bytes, and makes the whole responses to them."""

    def __init__(self, requests: PlainRequests) -> None:
        self._requests = requests
        self._constant = {
            source: "".join(f"{name}: {value}\r\n" for name, value in headers)
            for source, headers in requests.constant_headers.items()
        }
        self._dated = (0, "")

    def read(self, peer: str, data: bytes) -> PlainRequest | None:
        """Return the plain request that a peer's bytes are, None if waitress must parse them.

        The bytes after the first line must be those of an earlier request of that peer. They end
        with its empty line, and had no body after it; so neither has this request.
        """
        line = _FIRST_LINE.match(data)
        if line is None:
            return None
        client = self._requests.find_client((peer, data[line.end() :]))
        if client is None:
            return None
        return PlainRequest(client, line[1].decode(), line[2].decode())

    def answer(self, requests: Sequence[PlainRequest]) -> Iterator[bytes | None]:
        """Yield the whole responses to requests, None where waitress must parse the bytes."""
        return (one and self._encode(*one) for one in self._requests.answer(requests))

    def _encode(self, response: CachedResponse, request_id: str) -> bytes:
        head = (
            f"HTTP/1.1 200 OK\r\n{self._constant[response.source]}"
            f"Content-Length: {len(response.body)}\r\nDate: {self._date()}\r\n"
            f"ETag: {response.tag}\r\nX-Request-Id: {request_id}\r\n\r\n"
        )
        return head.encode("latin-1") + response.body

    def _date(self) -> str:
        """Return the time in the form of HTTP, which is made once a second."""
        now = int(time.time())
        if self._dated[0] != now:
            self._dated = now, build_http_date(now)
        return self._dated[1]
