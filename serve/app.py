"""The routes."""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

import bottle
import msgspec
from bottle import Bottle, HTTPError, HTTPResponse, request

from db.errors import InputError
from db.records.record import NewRecord, add_records
from db.spec.dataset_spec import DatasetSpec
from serve.api.error_handling import handle_errors
from serve.api.middleware import RequestMiddleware
from serve.api.problem import Refusal, make_problem, problem_of
from serve.api.query import read_item, read_items, read_query
from serve.api.response import DOCS_POLICY, error_body, respond, respond_page, respond_problem
from serve.api.root_document import welcome
from serve.openapi.document import openapi_document
from serve.pages.assets import read_asset
from serve.pages.dashboard import Dashboard
from serve.pages.login import Authenticator
from serve.pages.records import RecordPages
from serve.pages.rendering import fill, show_problem, wants_page
from serve.pages.views import Pages
from serve.prediction.catalog import Served
from serve.prediction.service import Service
from serve.telemetry.log import BatchedHandler
from serve.telemetry.prometheus import CONTENT_TYPE as METRICS_TYPE
from serve.telemetry.prometheus import Metrics

# Larger ones are refused by the server already; Bottle would keep them in a file.
MOST_BODY_BYTES = 2 * 2**20

_encode = msgspec.json.Encoder().encode


def make_app(
    service: Service, metrics: Metrics, dashboard: Dashboard, log_handler: BatchedHandler
) -> RequestMiddleware:
    """Return the WSGI application."""
    return RequestMiddleware(make_routes(service, metrics, dashboard), service, log_handler)


def make_routes(service: Service, metrics: Metrics, dashboard: Dashboard) -> Bottle:
    """Return the application without its journal."""
    bottle.BaseRequest.MEMFILE_MAX = MOST_BODY_BYTES
    app = Bottle()
    authenticator = Authenticator(service.access)
    pages, records = Pages(service, dashboard, authenticator), RecordPages(service, authenticator)
    views = Views(service, metrics, app, pages, authenticator)
    for method, path, view in (
        ("GET", "/predict", views.predict),
        ("GET", "/predict/<name>", views.predict_named),
        ("POST", "/predict/<name>", views.predict_many),
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
        ("GET", "/", views.welcome),
        ("GET", "/try/<name>", pages.try_out),
        ("GET", "/records/<name>", records.records),
        ("GET", "/records/<name>/<key>", records.record),
        ("POST", "/forget/<name>/<key>", records.forget_by_form),
        ("GET", "/key", authenticator.show_form),
        ("POST", "/key", authenticator.submit_key),
        ("OPTIONS", "/", views.elsewhere),
        ("ANY", "/<path:path>", views.elsewhere),
    ):
        app.route(path, method, handle_errors(page, show_problem))
    app.default_error_handler = error_body
    return app


class Views:
    """What each route answers."""

    def __init__(
        self,
        service: Service,
        metrics: Metrics,
        app: Bottle,
        pages: Pages,
        authenticator: Authenticator,
    ) -> None:
        self._service = service
        self._pages = pages
        self._authenticator = authenticator
        self._metrics = metrics
        self._app = app

    def welcome(self) -> HTTPResponse:
        """Say what there is: to a browser as a page, to others as JSON."""
        self._authenticator.require_read_key()
        if wants_page():
            return self._pages.dashboard()
        return respond(_encode(welcome(list(self._service.catalog.datasets.values()))))

    def predict(self) -> HTTPResponse:
        """Answer for the one dataset that has these fields."""
        return self._predict("/predict")

    def predict_named(self, name: str) -> HTTPResponse:
        """Answer for a dataset."""
        return self._predict(f"/predict/{name}")

    def _predict(self, path: str) -> HTTPResponse:
        self._authenticator.require_read_key()
        cached = self._service.predict(path, request.query_string)
        response = respond(cached.body)
        response.set_header("ETag", cached.tag)
        response.set_header("Cache-Control", self._service.cache_control(cached))
        return response

    def predict_many(self, name: str) -> HTTPResponse:
        """Answer an array of inputs in their order; a bad one gets its own problem."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        answers = [self._answer_item(served, item) for item in read_items(_body())]
        return respond(b"[" + b",".join(answers) + b"]")

    def _answer_item(self, served: Served, item: msgspec.Raw) -> bytes:
        try:
            return self._service.answer(served, read_item(item)).body
        except InputError as error:
            return _encode(problem_of(error))

    def add_records(self, name: str) -> HTTPResponse:
        """Add records, all or none, for whoever has a key."""
        self._authenticator.require_write_key("adding records")
        served = self._service.catalog.find(name)
        rows = _read_records(served.spec, read_items(_body()))
        add = partial(add_records, dataset_id=served.id, rows=rows, origin="api")
        added = self._service.store.write(add)
        return respond(_encode(added))

    def live(self) -> HTTPResponse:
        """Say that the process runs."""
        return respond(_encode({"status": "ok"}))

    def ready(self) -> HTTPResponse:
        """Say whether this process should get requests."""
        reason = self._service.is_ready()
        if reason:
            raise Refusal(503, reason)
        return respond(_encode({"status": "ready"}))

    def metrics(self) -> HTTPResponse:
        """Give all figures to Prometheus."""
        self._authenticator.require_read_key()
        return respond(self._metrics.render(), METRICS_TYPE)

    def openapi(self) -> HTTPResponse:
        """Describe the routes by the datasets' specs."""
        specs = [one.spec for one in self._service.catalog.datasets.values()]
        return respond(_encode(openapi_document(specs, is_open=self._service.access.is_open)))

    def docs(self) -> HTTPResponse:
        """Show the description."""
        return respond_page(fill("docs"), DOCS_POLICY)

    def asset(self, name: str) -> HTTPResponse:
        """Give a file that the pages need."""
        asset = read_asset(name)
        if asset is None:
            raise Refusal(404, f"there is no page file {name!r}")
        return respond(asset.data, asset.content_type)

    def elsewhere(self, path: str = "") -> HTTPResponse:
        """Answer the datasets' flat routes; say of any other path what is wrong with it."""
        catalog = self._service.catalog
        route = f"/{path}"
        served = catalog.flat_routes.get(route)
        spoken = catalog.language_routes.get(route)
        if served is None and spoken is None:
            self._refuse(route)
        if request.method not in {"GET", "HEAD"}:
            _refuse_or_tell(["GET"])
        self._authenticator.require_read_key()
        if served is not None:
            return respond(_encode(self._flat(served)))
        return respond(_encode(spoken.spec.languages if spoken else []))

    def _flat(self, served: Served) -> dict[str, float]:
        # Clients of this route send more than we know of.
        given = read_query(request.query_string, only=served.spec.required)
        return self._service.flat_answer(served, given)

    def _refuse(self, route: str) -> NoReturn:
        allowed = [method for method in ("GET", "POST", "DELETE") if self._is_route(route, method)]
        if allowed:
            _refuse_or_tell(allowed)
        if route != "/" and self._is_route(route.rstrip("/"), "GET"):
            raise Refusal(404, f"there is nothing at {route}; try {route.rstrip('/')}")
        raise Refusal(404, f"there is nothing at {route}; see /docs for what there is")

    def _is_route(self, path: str, method: str) -> bool:
        try:
            target, _ = self._app.match({"PATH_INFO": path, "REQUEST_METHOD": method})
        except HTTPError:
            return False
        return bool(target.rule != "/<path:path>")


def _refuse_or_tell(allowed: list[str]) -> NoReturn:
    """Refuse a method, or tell which are allowed where that is what was asked."""
    allow = ", ".join([*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"])
    if request.method == "OPTIONS":
        raise HTTPResponse(b"", 204, {"Allow": allow})
    problem = make_problem(405, f"{request.method} is not allowed here; use {' or '.join(allowed)}")
    raise respond_problem(problem, Allow=allow)


def _body() -> bytes:
    body: bytes = request.body.read()
    return body


def _read_records(spec: DatasetSpec, items: list[msgspec.Raw]) -> list[NewRecord]:
    """Return all items as records; raises Refusal naming every bad one."""
    rows: list[NewRecord] = []
    problems: list[Any] = []
    for at, item in enumerate(items):
        try:
            values = read_item(item)
            label = spec.read_label(values.pop(spec.target, None))
            inputs = spec.read_inputs(values)
        except InputError as error:
            problems.append({"item": at, "field": error.field, "reason": error.reason})
        else:
            rows.append(NewRecord(spec.key(inputs), inputs, label))
    if problems:
        raise Refusal(400, f"{len(problems)} bad items, so nothing was added", problems)
    return rows
