"""The journal: every request gets an id, a line and a count, whoever answers it."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import quote

from .load import Load
from .metrics import Metrics
from .problem import make_problem
from .response import PROBLEM, encode_problem

log = logging.getLogger("veilleuse.request")

Environ: TypeAlias = dict[str, Any]
Headers: TypeAlias = list[tuple[str, str]]
App: TypeAlias = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Journal:
    """A WSGI application around another."""

    def __init__(self, app: App, metrics: Metrics, load: Load) -> None:
        self._app = app
        self._metrics = metrics
        self._load = load

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.perf_counter()
        request_id = _request_id(environ)
        statuses: list[str] = []

        def start(status: str, headers: Headers, *more: object) -> Any:  # noqa: ANN401
            statuses.append(status)
            return start_response(status, [*headers, ("X-Request-Id", request_id)], *more)

        app = self._app if _is_utf8(environ["PATH_INFO"]) else _refuse_path
        self._load.begin()
        try:
            body = app(environ, start)
        finally:
            seconds = time.perf_counter() - started
            self._load.end(seconds)
        self._note(environ, statuses[-1], seconds, request_id)
        return body

    def _note(self, environ: Environ, status: str, seconds: float, request_id: str) -> None:
        method, code = environ["REQUEST_METHOD"], status.split(" ", 1)[0]
        # What clients make up must neither grow the figures nor begin a line of the log.
        known = method if method in METHODS else "OTHER"
        route = environ.get("bottle.route")
        self._metrics.count_request(route.rule if route else "none", known, code, seconds)
        path = quote(environ["PATH_INFO"].encode("latin-1"))
        milliseconds = seconds * 1000
        log.info(
            "%s %s %s %.1f ms %s",
            quote(method),
            path,
            code,
            milliseconds,
            request_id,
            extra={"request_id": request_id},
        )


def _request_id(environ: Environ) -> str:
    """Return the id that the client sent, if it is one, or else a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


def _is_utf8(path: str) -> bool:
    """Tell whether a path can be read; Bottle would pass over the bytes that cannot."""
    try:
        path.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_path(_environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = encode_problem(make_problem(400, "the path is not UTF-8"))
    headers = [("Content-Type", PROBLEM), ("Content-Length", str(len(body)))]
    start_response("400 Bad Request", headers)
    return [body]
