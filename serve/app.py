"""The WSGI application: its routes, behind the request middleware."""

from __future__ import annotations

import bottle
from bottle import Bottle

from db.errors import SettingError
from serve.api.access.api_keys import AccessControl
from serve.api.cors import Cors
from serve.api.error_handling import handle_errors
from serve.api.middleware import RequestMiddleware
from serve.api.query import MOST_BODY_BYTES
from serve.api.response import error_body
from serve.pages.home.dashboard import Dashboard
from serve.pages.login import Authenticator
from serve.pages.records.record_pages import RecordPages
from serve.pages.rendering import in_language, show_problem
from serve.pages.trying.try_page import Pages
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler
from serve.telemetry.prometheus import Metrics

from .api_views import Views
from .explanation_views import ExplanationViews

__all__ = ["MOST_BODY_BYTES", "make_app", "make_routes"]


def make_app(
    service: PredictionService, metrics: Metrics, dashboard: Dashboard, log_handler: BatchedHandler
) -> RequestMiddleware:
    """Return the WSGI application."""
    access = AccessControl(service.settings)
    cors = Cors(service.settings.cors_origins)
    routes = make_routes(service, access, metrics, dashboard)
    check_base_path(routes, service.settings.base_path)
    return RequestMiddleware(routes, service, access, cors, log_handler)


def check_base_path(routes: Bottle, base_path: str) -> None:
    """Raise SettingError if a route begins as BASE_PATH does: both could be meant."""
    first = base_path.split("/")[1] if base_path else ""
    if first and first in {route.rule.split("/")[1] for route in routes.routes}:
        raise SettingError(
            f"BASE_PATH={base_path}: /{first} is the beginning of a route; choose another path"
        )


def make_routes(
    service: PredictionService, access: AccessControl, metrics: Metrics, dashboard: Dashboard
) -> Bottle:
    """Return the application without its middleware."""
    # Bottle would keep larger bodies in a file.
    bottle.BaseRequest.MEMFILE_MAX = MOST_BODY_BYTES
    app = Bottle()
    authenticator = Authenticator(access)
    pages = Pages(service, dashboard, authenticator)
    records = RecordPages(service, authenticator)
    views = Views(service, access, metrics, app, pages, authenticator)
    explanations = ExplanationViews(service, access, authenticator)
    for method, path, view in (
        ("GET", "/predict", views.predict),
        ("GET", "/predict/<name>", views.predict_named),
        ("POST", "/predict/<name>", views.predict_batch),
        ("GET", "/explain", explanations.explain),
        ("GET", "/explain/<name>", explanations.explain_named),
        ("POST", "/records/<name>", views.add_records),
        ("GET", "/health", views.live),
        ("GET", "/api/health", views.live),
        ("GET", "/livez", views.live),
        ("GET", "/readyz", views.ready),
        ("GET", "/metrics", views.metrics),
        ("GET", "/openapi.json", views.openapi),
        ("GET", "/docs", views.docs),
        ("GET", "/api/docs", views.docs),
        ("GET", "/docs/<name>", views.asset),
        ("DELETE", "/records/<name>/<key>", records.forget),
    ):
        app.route(path, method, handle_errors(view))
    for method, path, page in (
        ("GET", "/", views.root),
        ("GET", "/try/<name>", pages.try_out),
        ("GET", "/records/<name>", records.records),
        ("GET", "/records/<name>/<key>", records.record),
        ("POST", "/forget/<name>/<key>", records.forget_by_form),
        ("GET", "/key", authenticator.show_form),
        ("POST", "/key", authenticator.submit_key),
        ("POST", "/sign-out", authenticator.sign_out),
        ("OPTIONS", "/", views.other),
        ("ANY", "/<path:path>", views.other),
    ):
        app.route(path, method, in_language(handle_errors(page, show_problem)))
    app.default_error_handler = error_body
    return app
