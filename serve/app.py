"""The WSGI application: its routes, behind the request middleware."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
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

Route: TypeAlias = tuple[str, str, Callable[..., HTTPResponse]]

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
    views = Views(service, access, metrics, app, pages, authenticator)
    for method, path, view in _api_routes(service, access, views, authenticator):
        app.route(path, method, handle_errors(view))
    for method, path, page in (
        *_server_pages(service, dashboard, views, authenticator),
        *_dataset_pages(service, pages, authenticator),
        *JobPages(service, authenticator).routes(),
    ):
        app.route(path, method, in_language(handle_errors(page, show_problem)))
    app.default_error_handler = error_body
    return app


def _api_routes(
    service: PredictionService, access: AccessControl, views: Views, authenticator: Authenticator
) -> Iterator[Route]:
    explanations = ExplanationViews(service, access, authenticator)
    yield "GET", "/predict", views.predict
    yield "GET", "/predict/<name>", views.predict_named
    yield "POST", "/predict/<name>", views.predict_batch
    yield "GET", "/explain", explanations.explain
    yield "GET", "/explain/<name>", explanations.explain_named
    yield "POST", "/records/<name>", views.add_records
    yield "DELETE", "/records/<name>/<key>", RecordPages(service, authenticator).forget
    yield "POST", "/labels/<name>", LabelsViews(service, authenticator).tell
    yield "GET", "/health", views.live
    yield "GET", "/api/health", views.live
    yield "GET", "/livez", views.live
    yield "GET", "/readyz", views.ready
    yield "GET", "/metrics", views.metrics
    yield "GET", "/openapi.json", views.openapi
    yield "GET", "/docs/<name>", views.asset
    yield "GET", "/favicon.ico", partial(views.asset, "flame.svg")


def _server_pages(
    service: PredictionService, dashboard: Dashboard, views: Views, authenticator: Authenticator
) -> Iterator[Route]:
    guide = GuidePages(service, authenticator)
    yield "GET", "/", views.root
    yield "GET", "/server", ServerPage(dashboard, authenticator).show
    yield "GET", "/guide", guide.first
    yield "GET", "/guide/<page>", guide.page
    yield "GET", "/docs", views.docs
    yield "GET", "/api/docs", views.docs
    yield "GET", "/key", authenticator.show_form
    yield "POST", "/key", authenticator.submit_key
    yield "POST", "/sign-out", authenticator.sign_out
    yield "OPTIONS", "/", views.other
    yield "ANY", "/<path:path>", views.other


def _dataset_pages(
    service: PredictionService, pages: Pages, authenticator: Authenticator
) -> Iterator[Route]:
    records, models = RecordPages(service, authenticator), ModelPages(service, authenticator)
    labels = LabelPages(service, authenticator)
    yield "GET", "/try/<name>", pages.try_out
    yield "GET", "/records/<name>", ListingPages(service, authenticator).records
    yield "GET", "/records/<name>/<key>", records.record
    yield "POST", "/forget/<name>/<key>", records.forget_by_form
    yield "GET", "/label/<name>", labels.show_next
    yield "POST", "/label/<name>", labels.submit
    yield "POST", "/label/<name>/<key>", RecordLabelPages(service, authenticator).submit
    yield "GET", "/models/<name>", models.versions
    yield "GET", "/models/<name>/<versions>", models.version
    yield "POST", "/models/<name>/activate", models.activate
    yield "GET", "/over-time/<name>", OverTimePage(service, authenticator).over_time
    yield "GET", "/production/<name>", ProductionPage(service, authenticator).production
