"""The journal: every request gets an id, a line and a count, whoever answers it."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from serve.prediction.cache import CachedResponse
from serve.prediction.service import Service, is_prediction
from serve.telemetry.log import BatchedHandler

from .problem import make_problem
from .response import JSON, PROBLEM, RETRY_SECONDS, SAFETY, encode_problem
from .wsgi import WAITED, App, Environ, Headers, StartResponse

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What says how this process is, though all its threads be busy.
ALIVE = ("/health", "/api/health", "/livez")
HEALTH = frozenset({*ALIVE, "/readyz"})
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """A WSGI application around another; plain predictions it answers itself."""

    def __init__(self, app: App, service: Service, log_handler: BatchedHandler) -> None:
        self._app = app
        self._service = service
        self._counters = service.counters
        self._log_handler = log_handler
        self._queue_seconds = service.settings.queue_seconds
        self._logs_query = service.settings.log_query == "on"
        self._cors = service.cors
        # An id of its own for each request without the cost of random bytes for each.
        self._process = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        # As the client sent it: Bottle changes it in place.
        path: str = environ["PATH_INFO"]
        given = environ.get("HTTP_X_REQUEST_ID")
        request_id = given if given and _ID.fullmatch(given) else self._new_id()
        self._counters.begin()
        status, route = "500", "none"
        try:
            app = self._app_for(environ)
            cached = self._predict(environ) if app is self._app else None
            if cached is not None:
                status, route = "200", cached_route(path)
                start_response("200 OK", self._headers_of(cached, request_id))
                return [cached.body]
            status, body = self._answer(app, environ, start_response, request_id)
            found = environ.get("bottle.route")
            route = found.rule if found else "none"
            return body
        finally:
            self._note(environ, path, route, status, time.perf_counter() - started, request_id)

    def is_immediate(self, method: str, path: str, query: str) -> bool:
        """Tell whether a request is answered without waiting for anybody."""
        return method == "GET" and (path in HEALTH or self._service.answers_at_once(path, query))

    def _new_id(self) -> str:
        return f"{self._process}{next(self._numbers):08x}"

    def _predict(self, environ: Environ) -> CachedResponse | None:
        """Return the answer to a plain request for a prediction, None for all others.

        Those that are refused too: why, and whatever else may be the matter, is the views' to say.
        """
        path: str = environ["PATH_INFO"]
        if (
            environ["REQUEST_METHOD"] != "GET"
            or not is_prediction(path)
            or "HTTP_IF_NONE_MATCH" in environ
            or "HTTP_ORIGIN" in environ
            or not self._service.access.may_read(environ)
        ):
            return None
        try:
            return self._service.predict(path, environ["QUERY_STRING"])
        except Exception:  # noqa: BLE001  whatever it is, the views meet it as well
            return None

    def _headers_of(self, cached: CachedResponse, request_id: str) -> Headers:
        return [
            ("Content-Type", JSON),
            ("Content-Length", str(len(cached.body))),
            ("Cache-Control", self._service.cache_control(cached)),
            ("ETag", cached.tag),
            ("X-Request-Id", request_id),
            *SAFETY,
            *self._cors.headers(None),
        ]

    def _answer(
        self, app: App, environ: Environ, start_response: StartResponse, request_id: str
    ) -> tuple[str, Iterable[bytes]]:
        """Let an application answer; returns the status code, too."""
        statuses: list[str] = []

        def start(status: str, headers: Headers, *more: object) -> Any:  # noqa: ANN401
            statuses.append(status)
            own = [("X-Request-Id", request_id), *SAFETY]
            own += self._cors.headers(environ.get("HTTP_ORIGIN"))
            return start_response(status, [*headers, *own], *more)

        body = app(environ, start)
        return statuses[-1].split(" ", 1)[0], body

    def _app_for(self, environ: Environ) -> App:
        """Return who answers: the application, unless the request is none for it."""
        if environ.get(WAITED, 0.0) > self._queue_seconds:
            self._counters.count_shed()
            return _shed
        if not _is_utf8(environ["PATH_INFO"]):
            return _refuse_path
        if self._cors.is_preflight(environ):
            return self._cors.answer_preflight
        return self._app

    def _note(
        self,
        environ: Environ,
        path: str,
        route: str,
        status: str,
        seconds: float,
        request_id: str,
    ) -> None:
        method = environ["REQUEST_METHOD"]
        # What clients make up must neither grow the figures nor begin a line of the log.
        known = method if method in METHODS else "OTHER"
        self._counters.end(route, known, status, seconds)
        path = quote(path.encode("latin-1"))
        if self._logs_query and environ["QUERY_STRING"]:
            path = f"{path}?{quote(environ['QUERY_STRING'].encode('latin-1'), safe='=&+%')}"
        milliseconds = round(seconds * 1000, 2)
        self._log_handler.log_line(
            f"{known} {path} {status} {milliseconds} ms {request_id}",
            method=known,
            path=path,
            status=int(status),
            milliseconds=milliseconds,
            request_id=request_id,
        )


def cached_route(path: str) -> str:
    """Return the pattern of the route by which what is in memory was asked for."""
    return "/predict" if path == "/predict" else "/predict/<name>"


def _is_utf8(path: str) -> bool:
    """Tell whether a path can be read; Bottle would pass over the bytes that cannot."""
    try:
        path.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_path(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _send(start_response, 400, "the path is not UTF-8")


def _shed(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    detail = f"too many requests came before this one; try again in {RETRY_SECONDS} s"
    return _send(start_response, 503, detail, ("Retry-After", str(RETRY_SECONDS)))


def _send(
    start_response: StartResponse, status: int, detail: str, *more: tuple[str, str]
) -> Iterable[bytes]:
    problem = make_problem(status, detail)
    body = encode_problem(problem)
    headers = [("Content-Type", PROBLEM), ("Content-Length", str(len(body))), *more]
    start_response(f"{status} {problem.title}", headers)
    return [body]
