"""Plain requests on waitress: from the bytes that have come to the bytes that are sent."""

from __future__ import annotations

import re
import time

from waitress.utilities import build_http_date

from serve.api.plain_requests import PlainRequests

# All that a first line may have without a meaning of its own: no escapes in the path, no fragment.
_FIRST_LINE = re.compile(rb"GET (/predict(?:/[A-Za-z0-9._~-]+)?)\?([!\"$-~]*) HTTP/1\.1\r\n")


class PlainResponses:
    """Makes the whole response to bytes that are one plain request."""

    def __init__(self, requests: PlainRequests) -> None:
        self._requests = requests
        self._constant = {
            source: "".join(f"{name}: {value}\r\n" for name, value in headers)
            for source, headers in requests.constant_headers.items()
        }
        self._dated = (0, "")

    def find(self, peer: str, data: bytes) -> bytes | None:
        """Return the response to bytes of a peer, None if waitress must parse them.

        The bytes after the first line must be those of an earlier request of that peer. They end
        with its empty line, and had no body after it; so neither has this request.
        """
        line = _FIRST_LINE.match(data)
        if line is None:
            return None
        client = self._requests.find_client((peer, data[line.end() :]))
        if client is None:
            return None
        path, query = line[1].decode(), line[2].decode()
        answer = self._requests.answer(client, path, query)
        if answer is None:
            return None
        response, request_id = answer
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
