"""The request log: every request gets an id, a log line and a count, whatever answers it."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from urllib.parse import quote

from serve.telemetry.counters import RequestCounters
from serve.telemetry.line_limit import LINES_PER_SECOND, LineLimit
from serve.telemetry.log import BatchedHandler

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Of an address in the log: a line of 200 KB for each of many requests would fill the disk.
MOST_LOGGED_CHARACTERS = 2000
# Most paths, which quoting would only copy.
_PLAIN = re.compile(rf"[A-Za-z0-9/_.~-]{{0,{MOST_LOGGED_CHARACTERS}}}")


class RequestLog:
    """Names, counts and logs the requests of a process."""

    def __init__(
        self, counters: RequestCounters, log_handler: BatchedHandler, *, logs_query: bool
    ) -> None:
        self._counters = counters
        self._log_handler = log_handler
        self._logs_query = logs_query
        self._line_limit = LineLimit()
        # An id of its own for each request without the cost of random bytes for each.
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """Return the id of a new request."""
        return f"{self._process}{next(self._numbers):08x}"

    def record(
        self,
        method: str,
        asked: tuple[str, str],
        route: str,
        status: str,
        seconds: float,
        request_id: str,
    ) -> None:
        """Count a request, and log its path and query unless too many like it have been logged."""
        # What clients make up must neither grow the metrics nor begin a line of the log.
        known = method if method in METHODS else "OTHER"
        self._counters.end(route, known, status, seconds)
        if status >= "400" and not self._line_limit.admits(status, time.time()):
            return
        self._log(known, asked, status, seconds, request_id)

    def record_answer(
        self, asked: tuple[str, str], route: str, seconds: float, request_id: str
    ) -> None:
        """Count and log a GET that was answered as soon as it came."""
        self._counters.count_request(route, "GET", "200", seconds)
        self._log("GET", asked, "200", seconds, request_id)

    def _log(
        self, method: str, asked: tuple[str, str], status: str, seconds: float, request_id: str
    ) -> None:
        self._log_skipped()
        address = self._logged_address(*asked)
        milliseconds = round(seconds * 1000, 2)
        self._log_handler.log_line(
            f"{method} {address} {status} {milliseconds} ms {request_id}",
            method=method,
            path=address,
            status=int(status),
            milliseconds=milliseconds,
            request_id=request_id,
        )

    def _logged_address(self, path: str, query: str) -> str:
        address = _shown(path, "/")
        if self._logs_query and query:
            address = f"{address}?{_shown(query, '=&+%')}"
        return address

    def _log_skipped(self) -> None:
        if not self._line_limit.has_skipped:
            return
        for status, count in self._line_limit.take_skipped(time.time()).items():
            self._log_handler.log_line(
                f"{count} more requests got {status}; of each status from 400 on, at most"
                f" {LINES_PER_SECOND} lines a second are written",
                status=int(status),
                count=count,
            )


def _shown(text: str, safe: str) -> str:
    """Return a part of an address as a log line shows it, in ASCII; a long one is cut off."""
    if _PLAIN.fullmatch(text):
        return text
    shown = quote(text[:MOST_LOGGED_CHARACTERS].encode("latin-1"), safe)
    return shown if len(text) <= MOST_LOGGED_CHARACTERS else f"{shown}..."
