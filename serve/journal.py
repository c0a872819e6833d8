"""The journal: what every request has in common: its id, its caching headers, a line, a count."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from bottle import HTTPResponse, request

from db.errors import VeilleuseError

from .problem import make_problem, problem_of
from .response import respond_problem
from .service import Service

log = logging.getLogger("veilleuse.request")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Journal:
    """A Bottle plugin around every route."""

    name = "journal"
    api = 2

    def __init__(self, service: Service) -> None:
        self._service = service

    def apply(self, view: Callable[..., HTTPResponse], route: Any) -> Callable[..., HTTPResponse]:  # noqa: ANN401
        """Return the view with what surrounds it."""

        def journaled(**arguments: str) -> HTTPResponse:
            started = time.perf_counter()
            response = _run(view, arguments)
            request_id = _request_id()
            response.set_header("X-Request-Id", request_id)
            if response.status_code == 200:  # noqa: PLR2004
                response = _revalidated(response)
            seconds = time.perf_counter() - started
            self._service.metrics.count_request(
                route.rule, request.method, response.status_code, seconds
            )
            log.info(
                "%s %s %s %.1f ms",
                request.method,
                request.path,
                response.status_code,
                seconds * 1000,
                extra={"request_id": request_id},
            )
            return response

        return journaled


def _run(view: Callable[..., HTTPResponse], arguments: dict[str, str]) -> HTTPResponse:
    try:
        return view(**arguments)
    except HTTPResponse as raised:
        return raised
    except VeilleuseError as error:
        problem = problem_of(error)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        problem = make_problem(500, "this is our fault; it has been logged")
    return respond_problem(problem)


def _request_id() -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


def _revalidated(response: HTTPResponse) -> HTTPResponse:
    """Let clients keep an answer, if they ask each time whether it still holds."""
    if not isinstance(response.body, bytes) or request.method not in {"GET", "HEAD"}:
        return response
    tag = f'"{hashlib.blake2b(response.body, digest_size=8).hexdigest()}"'
    response.set_header("ETag", tag)
    response.set_header("Cache-Control", "no-cache")
    if tag in request.headers.get("If-None-Match", ""):
        response.status = 304
        response.body = b""
    return response
