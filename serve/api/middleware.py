"""Request middleware: what every request passes before and after it is answered."""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from serve.prediction.cache import CachedResponse
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler

from .access.admission import Admission
from .access.api_keys import AccessControl
from .access.body_limit import BodyLimit, BodyLimits
from .access.cors import Cors
from .access.forwarded import make_forwarding, strip_prefix
from .fast_path import FastPath, cache_control_values, route_of
from .plain_requests import PlainRequests
from .problem import Refusal, make_problem
from .request_log import RequestLog
from .response import JSON, PROBLEM, RETRY_SECONDS, SAFETY, encode_problem
from .wsgi import REQUEST_ID, WAITED, App, Environ, Headers, StartResponse

# Liveness: answered although every thread is busy.
ALIVE = ("/health", "/api/health", "/livez")
HEALTH = frozenset({*ALIVE, "/readyz"})
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Refused:
    """The answer to a request that the server could not read."""

    headers: Headers
    body: bytes


class RequestMiddleware:
    """A WSGI application around another; the fast path answers plain predictions before it."""

    def __init__(
        self,
        app: App,
        service: PredictionService,
        access: AccessControl,
        cors: Cors,
        log_handler: BatchedHandler,
    ) -> None:
        self._app = app
        self._cors = cors
        self._cache_control = cache_control_values(service.settings, is_open=access.is_open)
        self._fast_path = FastPath(service, access)
        self._admission = Admission(service.settings, access)
        self._counters = service.counters
        self._answers = service.answers
        self._queue_seconds = service.settings.queue_seconds
        settings = service.settings
        self._log = RequestLog(self._counters, log_handler, logs_query=settings.log_query == "on")
        self.plain_requests = PlainRequests(
            self._fast_path,
            access,
            self._log,
            {source: self._constant_headers(source) for source in self._cache_control},
            learns=not settings.client_requests,
        )
        # Only a platform's router always stands before us; anywhere else a client could lie.
        self._forwarding = make_forwarding(
            settings.trusted_proxies, settings.base_path, has_router="DYNO" in os.environ
        )
        self._body_limits = BodyLimits(settings, access, self._forwarding)
        self._base_path = settings.base_path

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        self._forwarding.apply(environ)
        # As it is now: Bottle changes it in place.
        path: str = environ["PATH_INFO"]
        client_id = environ.get("HTTP_X_REQUEST_ID")
        request_id = client_id if client_id and _ID.fullmatch(client_id) else self._log.new_id()
        self._counters.begin()
        status, route = "500", "none"
        try:
            app = self._choose_app(environ)
            response = self._fast_path.answer(environ) if app is self._app else None
            if response is not None:
                self._answers.record(request_id, response)
                self.plain_requests.learn(environ)
                status, route = "200", route_of(path)
                start_response("200 OK", self._headers(response, request_id))
                return [response.body]
            environ[REQUEST_ID] = request_id
            status, body = self._run(app, environ, start_response, request_id)
            matched = environ.get("bottle.route")
            route = matched.rule if matched else "none"
            return body
        finally:
            seconds = time.perf_counter() - started
            asked = path, environ["QUERY_STRING"]
            method = environ["REQUEST_METHOD"]
            self._log.record(method, asked, route, status, seconds, request_id)

    def find_immediate(self, method: str, path: str, query: str) -> CachedResponse | bool:
        """Return whether a request is answered without waiting, or its cached response."""
        if method != "GET":
            return False
        if self._base_path:
            path = strip_prefix(path, self._base_path)
        return path in HEALTH or self._fast_path.find_immediate(path, query)

    def find_body_limit(self, environ: Environ) -> BodyLimit:
        """Return how large the body of a request may be; `environ` is changed."""
        return self._body_limits.find(environ)

    def refuse(self, status: int, detail: str) -> Refused:
        """Return the answer to a request that the server could not read; log and count it."""
        request_id = self._log.new_id()
        self._counters.begin()
        self._log.record("OTHER", ("-", ""), "none", str(status), 0.0, request_id)
        headers = [("Content-Type", PROBLEM), ("X-Request-Id", request_id), *SAFETY]
        headers += self._cors.headers(None)
        return Refused(headers, encode_problem(make_problem(status, detail)))

    def _constant_headers(self, source: str) -> Headers:
        """Return the headers that all answers from a source have, teacher or student."""
        cache_control = self._cache_control[source]
        own = [("Content-Type", JSON), ("Cache-Control", cache_control)]
        return [*own, *SAFETY, *self._cors.headers(None)]

    def _headers(self, response: CachedResponse, request_id: str) -> Headers:
        return [
            *self.plain_requests.constant_headers[response.source],
            ("Content-Length", str(len(response.body))),
            ("ETag", response.tag),
            ("X-Request-Id", request_id),
        ]

    def _run(
        self, app: App, environ: Environ, start_response: StartResponse, request_id: str
    ) -> tuple[str, Iterable[bytes]]:
        """Let an application answer; return the status code and the body."""
        statuses: list[str] = []

        def start(status: str, headers: Headers, *more: object) -> Any:  # noqa: ANN401
            statuses.append(status)
            own = [("X-Request-Id", request_id), *SAFETY]
            own += self._cors.headers(environ.get("HTTP_ORIGIN"))
            return start_response(status, [*headers, *own], *more)

        body = app(environ, start)
        return statuses[-1].split(" ", 1)[0], body

    def _choose_app(self, environ: Environ) -> App:
        """Return the application, or what answers a request that must not reach it."""
        if environ.get(WAITED, 0.0) > self._queue_seconds:
            self._counters.count_shed()
            return _turn_away
        if not _is_utf8(environ["PATH_INFO"]):
            return _refuse_path
        refusal = None if environ["PATH_INFO"] in HEALTH else self._admission.find_refusal(environ)
        if refusal is not None:
            return functools.partial(_refuse, refusal)
        if self._cors.is_preflight(environ):
            return self._cors.answer_preflight
        return self._app


def _is_utf8(path: str) -> bool:
    """Return whether a path is UTF-8; Bottle would pass over the bytes that are not."""
    try:
        path.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _refuse_path(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return _send(start_response, 400, "the path is not UTF-8")


def _refuse(refusal: Refusal, _environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    seconds = refusal.retry_seconds
    more = [("Retry-After", str(seconds))] if seconds else []
    return _send(start_response, refusal.problem.status, refusal.problem.detail, *more)


def _turn_away(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
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
