"""The WSGI application: its routes, behind the request middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import TypeAlias

import bottle
from bottle import Bottle, HTTPResponse

from db.errors import SettingError
from serve.api.access.api_keys import AccessControl
from serve.api.access.cors import Cors
from serve.api.error_handling import handle_errors
from serve.api.middleware import RequestMiddleware
from serve.api.query import MOST_BODY_BYTES
from serve.api.response import error_body
from serve.pages.login import Authenticator
from serve.pages.rendering import in_language, show_problem
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler
from serve.telemetry.multiprocess import MultiprocessMetrics

from .api_views import Views
from .fallback import ANY_PATH, DeferredRoutes, Fallback

Route: TypeAlias = tuple[str, str, Callable[..., HTTPResponse]]

__all__ = ["MOST_BODY_BYTES", "make_app", "make_routes"]


def make_app(
    service: PredictionService, process_metrics: MultiprocessMetrics, log_handler: BatchedHandler
) -> RequestMiddleware:
    """Return the WSGI application."""
    access = AccessControl(service.settings)
    cors = Cors(service.settings.cors_origins)
    routes, further = make_routes(service, access, process_metrics)
    if service.settings.base_path:
        for app in (routes, further.app):
            check_base_path(app, service.settings.base_path)
    return RequestMiddleware(routes, service, access, cors, log_handler)


def check_base_path(routes: Bottle, base_path: str) -> None:
    """Raise SettingError if a route begins as BASE_PATH does: both could be meant."""
    first = base_path.split("/")[1] if base_path else ""
    if first and first in {route.rule.split("/")[1] for route in routes.routes}:
        raise SettingError(
            f"BASE_PATH={base_path}: /{first} is the beginning of a route; choose another path"
        )


def import_deferred() -> None:
    """Import what is otherwise imported at the first request for it; raises what that raises."""
    for name in ("serve.further_routes", "serve.openapi.document", "serve.telemetry.all_metrics"):
        import_module(name)


def make_routes(
    service: PredictionService, access: AccessControl, process_metrics: MultiprocessMetrics
) -> tuple[Bottle, DeferredRoutes]:
    """Return the application without its middleware, and its routes beside predictions."""
    # Bottle would keep larger bodies in a file.
    bottle.BaseRequest.MEMFILE_MAX = MOST_BODY_BYTES
    app = Bottle()
    authenticator = Authenticator(access)

    def make_further() -> Bottle:
        from .further_routes import make_further_routes  # noqa: PLC0415  large

        return make_further_routes(service, access, process_metrics, authenticator)

    further = DeferredRoutes(make_further)
    views = Views(service, access, process_metrics, further, authenticator)
    for method, path, view in _routes(views):
        app.route(path, method, handle_errors(view))
    fallback = Fallback(service, authenticator, app, further)
    for method, path, page in (
        ("GET", "/", views.root),
        ("GET", "/docs", views.docs),
        ("GET", "/api/docs", views.docs),
        ("OPTIONS", "/", fallback.other),
        ("ANY", ANY_PATH, fallback.other),
    ):
        app.route(path, method, in_language(handle_errors(page, show_problem)))
    app.default_error_handler = error_body
    return app, further


def _routes(views: Views) -> Iterator[Route]:
    yield "GET", "/predict", views.predict
    yield "GET", "/predict/<name>", views.predict_named
    yield "POST", "/predict/<name>", views.predict_batch
    yield "GET", "/health", views.live
    yield "GET", "/api/health", views.live
    yield "GET", "/livez", views.live
    yield "GET", "/readyz", views.ready
    yield "GET", "/metrics", views.metrics
    yield "GET", "/openapi.json", views.openapi
    yield "GET", "/docs/<name>", views.asset
    yield "GET", "/favicon.ico", partial(views.asset, "flame.svg")
