"""The WSGI application: its routes, behind the request middleware."""

from __future__ import annotations

from functools import partial

import bottle
from bottle import Bottle

from db.errors import SettingError
from serve.api.access.api_keys import AccessControl
from serve.api.cors import Cors
from serve.api.error_handling import handle_errors
from serve.api.middleware import RequestMiddleware
from serve.api.query import MOST_BODY_BYTES
from serve.api.response import error_body
from serve.pages.guide.guide_pages import GuidePages
from serve.pages.home.dashboard import Dashboard
from serve.pages.home.server_page import ServerPage
from serve.pages.jobs.job_pages import JobPages
from serve.pages.labelling.label_pages import LabelPages
from serve.pages.labelling.record_label_pages import RecordLabelPages
from serve.pages.login import Authenticator
from serve.pages.models.model_pages import ModelPages
from serve.pages.over_time.over_time_page import OverTimePage
from serve.pages.over_time.production_page import ProductionPage
from serve.pages.records.listing_pages import ListingPages
from serve.pages.records.record_pages import RecordPages
from serve.pages.rendering import in_language, show_problem
from serve.pages.trying.try_page import Pages
from serve.prediction.service import PredictionService
from serve.telemetry.log import BatchedHandler
from serve.telemetry.prometheus import Metrics

from .api_views import Views
from .explanation_views import ExplanationViews
from .labels_views import LabelsViews

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
    guide = GuidePages(service, authenticator)
    records = RecordPages(service, authenticator)
    models = ModelPages(service, authenticator)
    labels = LabelPages(service, authenticator)
    record_labels = RecordLabelPages(service, authenticator)
    listings = ListingPages(service, authenticator)
    over_time = OverTimePage(service, authenticator)
    views = Views(service, access, metrics, app, pages, authenticator)
    explanations = ExplanationViews(service, access, authenticator)
    for method, path, view in (
        ("GET", "/predict", views.predict),
        ("GET", "/predict/<name>", views.predict_named),
        ("POST", "/predict/<name>", views.predict_batch),
        ("GET", "/explain", explanations.explain),
        ("GET", "/explain/<name>", explanations.explain_named),
        ("POST", "/records/<name>", views.add_records),
        ("POST", "/labels/<name>", LabelsViews(service, authenticator).tell),
        ("GET", "/health", views.live),
        ("GET", "/api/health", views.live),
        ("GET", "/livez", views.live),
        ("GET", "/readyz", views.ready),
        ("GET", "/metrics", views.metrics),
        ("GET", "/openapi.json", views.openapi),
        ("GET", "/docs/<name>", views.asset),
        ("GET", "/favicon.ico", partial(views.asset, "flame.svg")),
        ("DELETE", "/records/<name>/<key>", records.forget),
    ):
        app.route(path, method, handle_errors(view))
    for method, path, page in (
        ("GET", "/", views.root),
        ("GET", "/server", ServerPage(dashboard, authenticator).show),
        ("GET", "/guide", guide.first),
        ("GET", "/guide/<page>", guide.page),
        ("GET", "/docs", views.docs),
        ("GET", "/api/docs", views.docs),
        ("GET", "/try/<name>", pages.try_out),
        ("GET", "/records/<name>", listings.records),
        ("GET", "/records/<name>/<key>", records.record),
        ("POST", "/forget/<name>/<key>", records.forget_by_form),
        ("GET", "/label/<name>", labels.show_next),
        ("POST", "/label/<name>", labels.submit),
        ("POST", "/label/<name>/<key>", record_labels.submit),
        ("GET", "/models/<name>", models.versions),
        ("GET", "/models/<name>/<versions>", models.version),
        ("POST", "/models/<name>/activate", models.activate),
        ("GET", "/over-time/<name>", over_time.over_time),
        ("GET", "/production/<name>", ProductionPage(service, authenticator).production),
        ("GET", "/key", authenticator.show_form),
        ("POST", "/key", authenticator.submit_key),
        ("POST", "/sign-out", authenticator.sign_out),
        ("OPTIONS", "/", views.other),
        ("ANY", "/<path:path>", views.other),
    ):
        app.route(path, method, in_language(handle_errors(page, show_problem)))
    for method, path, page in JobPages(service, authenticator).routes():
        app.route(path, method, in_language(handle_errors(page, show_problem)))
    app.default_error_handler = error_body
    return app
