"""The views of the API: what each route returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import msgspec
from bottle import Bottle, HTTPError, HTTPResponse, request
from sqlalchemy import Connection

from db.errors import InputError, UnknownRow
from db.ingestion.row import NewRow, RowCounts
from db.ingestion.submission import add_rows, add_rows_once
from db.records.dataset import find_dataset
from db.spec.dataset_spec import DatasetSpec
from serve.api.access.api_keys import AccessControl
from serve.api.fast_path import cache_control_values, predict
from serve.api.media_type import CSV, is_csv, read_body, read_idempotency_key, wants_json
from serve.api.problem import Refusal, make_problem, problem_of
from serve.api.query import read_item, read_items, read_query
from serve.api.response import (
    DOCS_POLICY,
    JSON,
    public_path,
    respond,
    respond_cacheable,
    respond_page,
    respond_problem,
)
from serve.api.root_document import root_document
from serve.api.wsgi import REQUEST_ID
from serve.openapi.document import openapi_document
from serve.pages.assets import read_asset
from serve.pages.login import Authenticator
from serve.pages.rendering import fill, wants_page
from serve.pages.trying.try_page import Pages
from serve.prediction.catalog import Served
from serve.prediction.explanation import explain
from serve.prediction.service import PredictionService
from serve.telemetry.prometheus import CONTENT_TYPE as METRICS_TYPE
from serve.telemetry.prometheus import Metrics

_encode = msgspec.json.Encoder().encode


class Views:
    """What each route of the API returns."""

    def __init__(
        self,
        service: PredictionService,
        access: AccessControl,
        metrics: Metrics,
        app: Bottle,
        pages: Pages,
        authenticator: Authenticator,
    ) -> None:
        self._service = service
        self._access = access
        self._cache_control = cache_control_values(service.settings, is_open=access.is_open)
        self._pages = pages
        self._authenticator = authenticator
        self._metrics = metrics
        self._app = app

    def root(self) -> HTTPResponse:
        """Return the dashboard to a browser, and a JSON overview to other clients."""
        self._authenticator.require_read_key()
        if wants_page():
            return self._pages.dashboard()
        return respond(_encode(root_document(list(self._service.catalog.datasets.values()))))

    def predict(self) -> HTTPResponse:
        """Predict for the one dataset that has these fields."""
        return self._predict("/predict")

    def predict_named(self, name: str) -> HTTPResponse:
        """Predict for a dataset."""
        return self._predict(f"/predict/{name}")

    def _predict(self, path: str) -> HTTPResponse:
        self._authenticator.require_read_key()
        client = self._authenticator.client
        answer = predict(self._service, path, request.query_string, client)
        self._service.answers.record(_request_id(), answer)
        return respond_cacheable(answer.body, answer.tag, self._cache_control[answer.source])

    def predict_batch(self, name: str) -> HTTPResponse:
        """Predict for an array or a CSV table, in their order; a bad item gets its own problem."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        if is_csv():
            return self._predict_csv(served)
        explained = _wants_explanations()
        predict_one = self._predict_explained if explained else self._predict_body
        predict_item = partial(predict_one, client=self._authenticator.client())
        items = read_items(read_body(), explained=explained)
        answers = [_answer_item(predict_item, served, *numbered) for numbered in enumerate(items)]
        return respond(b"[" + b",".join(answers) + b"]")

    def _predict_csv(self, served: Served) -> HTTPResponse:
        from serve.api.csv_body import answer_csv  # noqa: PLC0415  most processes never need it

        if _wants_explanations():
            raise Refusal(415, "explain=true needs JSON; send an array, or CSV without it")
        as_json = wants_json()
        client = self._authenticator.client()
        body = answer_csv(read_body(), self._service, served, client, as_json=as_json)
        return respond(body, JSON if as_json else CSV)

    def _predict_body(self, served: Served, raw: dict[str, Any], at: int, client: str) -> bytes:
        response = self._service.predict(served, raw, client=client)
        self._service.answers.record(_request_id(), response, at)
        return response.body

    def _predict_explained(
        self, served: Served, raw: dict[str, Any], at: int, client: str
    ) -> bytes:
        """Return the body of a prediction with its explanation as the last member."""
        body = self._predict_body(served, raw, at, client)
        explanation = explain(served, self._service.find_inputs(served, raw))
        return body[:-1] + b',"explanation":' + _encode(explanation) + b"}"

    def add_records(self, name: str) -> HTTPResponse:
        """Add rows, all or none; needs an API key."""
        self._authenticator.require_write_key("adding records")
        served = self._service.catalog.find(name)
        body = read_body()
        rows = _read_rows(served.spec, read_items(body))
        key = read_idempotency_key()
        add = partial(_add, served=served, rows=rows, key=key, body=body)
        return respond(_encode(self._service.write(add)))

    def live(self) -> HTTPResponse:
        """Report that the process runs."""
        return respond(_encode({"status": "ok"}))

    def ready(self) -> HTTPResponse:
        """Report whether this process should get requests."""
        reason = self._service.why_not_ready()
        if reason:
            raise Refusal(503, reason)
        return respond(_encode({"status": "ready", **self._faults()}))

    def _faults(self) -> dict[str, list[dict[str, str]]]:
        """Return what is stopped; the reasons are left out where records need a key.

        They may show inputs of records.
        """
        more = ("reason",) if self._access.lists_records else ()
        shown = ("dataset", "subject", *more)
        faults = self._service.catalog.faults
        named = [{name: getattr(fault, name) for name in shown} for fault in faults]
        return {"faults": named} if named else {}

    def metrics(self) -> HTTPResponse:
        """Return all metrics in Prometheus's text format."""
        self._authenticator.require_read_key()
        return respond(self._metrics.render(), METRICS_TYPE)

    def openapi(self) -> HTTPResponse:
        """Return the OpenAPI document, made from the datasets' specs."""
        specs = [one.spec for one in self._service.catalog.datasets.values()]
        document = openapi_document(specs, is_open=self._access.is_open, prefix=public_path(""))
        return respond(_encode(document))

    def docs(self) -> HTTPResponse:
        """Return the page that shows the OpenAPI document."""
        return respond_page(fill("docs"), DOCS_POLICY)

    def asset(self, name: str) -> HTTPResponse:
        """Return a file that the pages need."""
        asset = read_asset(name)
        if asset is None:
            raise Refusal(404, f"there is no page file {name!r}")
        return respond(asset.data, asset.content_type)

    def other(self, path: str = "") -> HTTPResponse:
        """Answer the datasets' flat routes; refuse any other path with what is wrong with it."""
        catalog = self._service.catalog
        route = f"/{path}"
        flat = catalog.flat_routes.get(route)
        languages = catalog.language_routes.get(route)
        if flat is None and languages is None:
            self._refuse(route)
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
        return self._service.predict_flat(served, fields, client, _request_id())

    def _refuse(self, route: str) -> NoReturn:
        allowed = [method for method in ("GET", "POST", "DELETE") if self._is_route(route, method)]
        if allowed:
            _refuse_method(allowed)
        if route != "/" and self._is_route(route.rstrip("/"), "GET"):
            raise Refusal(404, f"there is nothing at {route}; try {public_path(route.rstrip('/'))}")
        raise Refusal(
            404, f"there is nothing at {route}; see {public_path('/docs')} for the routes"
        )

    def _is_route(self, path: str, method: str) -> bool:
        try:
            target, _ = self._app.match({"PATH_INFO": path, "REQUEST_METHOD": method})
        except HTTPError:
            return False
        return bool(target.rule != "/<path:path>")


def _refuse_method(allowed: list[str]) -> NoReturn:
    """Refuse a method with 405; answer OPTIONS with the allowed methods."""
    allow = ", ".join([*allowed, *(["HEAD"] if "GET" in allowed else []), "OPTIONS"])
    if request.method == "OPTIONS":
        raise HTTPResponse(b"", 204, {"Allow": allow})
    problem = make_problem(405, f"{request.method} is not allowed here; use {' or '.join(allowed)}")
    raise respond_problem(problem, Allow=allow)


def _wants_explanations() -> bool:
    """Return the parameter `explain` of a request; raises InputError."""
    value = read_query(request.query_string, only=("explain",)).get("explain", "false")
    if value not in {"true", "false"}:
        raise InputError("explain", "must be true or false", "true")
    return value == "true"


def _request_id() -> str:
    """Return the id of the request, by which a label can later name its answer."""
    request_id: str = request.environ[REQUEST_ID]
    return request_id


def _answer_item(
    predict_item: Callable[[Served, dict[str, Any], int], bytes],
    served: Served,
    at: int,
    item: msgspec.Raw,
) -> bytes:
    """Return the answer to one item of an array, or the problem with it."""
    try:
        return predict_item(served, read_item(item), at)
    except (InputError, UnknownRow) as error:
        return _encode(problem_of(error))


def _add(
    connection: Connection, served: Served, rows: list[NewRow], key: str, body: bytes
) -> RowCounts:
    """Write rows as an import of a file would; with a key they stand beside others, once."""
    dataset = find_dataset(connection, served.name)
    if not key:
        return add_rows(connection, dataset, rows, "api")
    return add_rows_once(connection, dataset, rows, "api", key, body)


def _read_rows(spec: DatasetSpec, items: list[msgspec.Raw]) -> list[NewRow]:
    """Return all items as rows; raises Refusal naming every bad one."""
    rows: list[NewRow] = []
    problems: list[Any] = []
    for at, item in enumerate(items):
        try:
            values = read_item(item)
            label = spec.read_label(values.pop(spec.target, None))
            row_id = spec.pick_row_id(values)
            inputs = spec.read_inputs(values)
        except InputError as error:
            problems.append({"item": at, "field": error.field, "reason": error.reason})
        else:
            rows.append(NewRow(spec.key(inputs), inputs, label, row_id))
    if problems:
        raise Refusal(400, f"{len(problems)} bad items, so nothing was added", problems)
    return rows
