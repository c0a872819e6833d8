"""The routes beside predictions: pages, explanations, and what adds or deletes records and labels.

They are imported at the first request for one: together they take 4 MiB and 80 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from bottle import Bottle, HTTPResponse

from serve.api.access.api_keys import AccessControl
from serve.api.error_handling import handle_errors
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
from serve.telemetry.multiprocess import MultiprocessMetrics

from .explanation_views import ExplanationViews
from .labels_views import LabelsViews
from .records_views import RecordsViews

Route: TypeAlias = tuple[str, str, Callable[..., HTTPResponse]]


def make_further_routes(
    service: PredictionService,
    access: AccessControl,
    process_metrics: MultiprocessMetrics,
    authenticator: Authenticator,
) -> Bottle:
    """Return the application that has these routes."""
    app = Bottle()
    dashboard = Dashboard(service, process_metrics)
    for method, path, view in _api_routes(service, access, authenticator):
        app.route(path, method, handle_errors(view))
    for method, path, page in (
        *_server_pages(service, dashboard, authenticator),
        *_dataset_pages(service, dashboard, authenticator),
        *JobPages(service, authenticator).routes(),
    ):
        app.route(path, method, in_language(handle_errors(page, show_problem)))
    return app


def _api_routes(
    service: PredictionService, access: AccessControl, authenticator: Authenticator
) -> Iterator[Route]:
    explanations = ExplanationViews(service, access, authenticator)
    yield "GET", "/explain", explanations.explain
    yield "GET", "/explain/<name>", explanations.explain_named
    yield "POST", "/records/<name>", RecordsViews(service, authenticator).add
    yield "DELETE", "/records/<name>/<key>", RecordPages(service, authenticator).forget
    yield "POST", "/labels/<name>", LabelsViews(service, authenticator).tell


def _server_pages(
    service: PredictionService, dashboard: Dashboard, authenticator: Authenticator
) -> Iterator[Route]:
    guide = GuidePages(service, authenticator)
    yield "GET", "/", Pages(service, dashboard, authenticator).dashboard
    yield "GET", "/server", ServerPage(dashboard, authenticator).show
    yield "GET", "/guide", guide.first
    yield "GET", "/guide/<page>", guide.page
    yield "GET", "/key", authenticator.show_form
    yield "POST", "/key", authenticator.submit_key
    yield "POST", "/sign-out", authenticator.sign_out


def _dataset_pages(
    service: PredictionService, dashboard: Dashboard, authenticator: Authenticator
) -> Iterator[Route]:
    records, models = RecordPages(service, authenticator), ModelPages(service, authenticator)
    labels = LabelPages(service, authenticator)
    yield "GET", "/try/<name>", Pages(service, dashboard, authenticator).try_out
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
