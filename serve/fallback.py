"""What answers a path that no route of predictions has: flat routes, deferred routes, refusals."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NoReturn

import msgspec
from bottle import Bottle, HTTPError, HTTPResponse, request

from serve.api.problem import Refusal, make_problem
from serve.api.query import read_query
from serve.api.response import public_path, respond, respond_problem
from serve.api.wsgi import REQUEST_ID, Environ
from serve.pages.login import Authenticator
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

ANY_PATH = "/<path:path>"

_encode = msgspec.json.Encoder().encode


class DeferredRoutes:
    """Routes that are imported and made at the first request for one of them.

    Most processes serve only predictions, and so start without the rest.
    """

    def __init__(self, make: Callable[[], Bottle]) -> None:
        self._make = make

    @cached_property
    def app(self) -> Bottle:
        """The application that has the routes."""
        return self._make()

    def answer(self, environ: Environ) -> HTTPResponse:
        """Return the response of the route for a request; raises HTTPError if there is none."""
        route, arguments = self.app.match(environ)
        # By its rule the request is counted and logged.
        environ["bottle.route"] = route
        response: HTTPResponse = route.call(**arguments)
        return response


class Fallback:
    """The views of all paths that are not among the routes of predictions."""

    def __init__(
        self,
        service: PredictionService,
        authenticator: Authenticator,
        app: Bottle,
        deferred: DeferredRoutes,
    ) -> None:
        self._service = service
        self._authenticator = authenticator
        self._app = app
        self._deferred = deferred

    def other(self, path: str = "") -> HTTPResponse:
        """Answer flat and deferred routes; refuse any other path with what is wrong with it."""
        catalog = self._service.catalog
        route = f"/{path}"
        flat = catalog.flat_routes.get(route)
        languages = catalog.language_routes.get(route)
        if flat is None and languages is None:
            return self._answer_deferred(route)
        if request.method not in {"GET", "HEAD"}:
            _refuse_method(["GET"])
        self._authenticator.require_read_key()
        if flat is not None:
            return respond(_encode(self._predict_flat(flat)))
        return respond(_encode(languages.spec.languages if languages else []))

    def _predict_flat(self, served: Served) -> dict[str, float]:
        # Existing clients of this route send parameters that are not fields.
        fields = read_query(request.query_string, only=served.spec.required)
        client = self._authenticator.client()
        return self._service.predict_flat(served, fields, client, request.environ[REQUEST_ID])

    def _answer_deferred(self, path: str) -> HTTPResponse:
        if not _has_route(self._deferred.app, path, request.method):
            self._refuse(path)
        return self._deferred.answer(request.environ)

    def _refuse(self, path: str) -> NoReturn:
        allowed = [method for method in ("GET", "POST", "DELETE") if self._is_route(path, method)]
        if allowed:
            _refuse_method(allowed)
        if path != "/" and self._is_route(path.rstrip("/"), "GET"):
            raise Refusal(404, f"there is nothing at {path}; try {public_path(path.rstrip('/'))}")
        raise Refusal(404, f"there is nothing at {path}; see {public_path('/docs')} for the routes")

    def _is_route(self, path: str, method: str) -> bool:
        return _has_route(self._app, path, method) or _has_route(self._deferred.app, path, method)


def _has_route(app: Bottle, path: str, method: str) -> bool:
    try:
        target, _ = app.match({"PATH_INFO": path, "REQUEST_METHOD": method})
    except HTTPError:
        return False
    return bool(target.rule != ANY_PATH)


def _refuse_method(allowed: list[str]) -> NoReturn:
    """Refuse a method with 405; answer OPTIONS with the allowed methods."""
    allow = ", ".join([*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"])
    if request.method == "OPTIONS":
        raise HTTPResponse(b"", 204, {"Allow": allow})
    problem = make_problem(405, f"{request.method} is not allowed here; use {' or '.join(allowed)}")
    raise respond_problem(problem, Allow=allow)
