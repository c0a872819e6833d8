"""The views of the API: what each route returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import msgspec
from bottle import HTTPResponse, request

from db.errors import InputError, UnknownRow
from serve.api.access.api_keys import AccessControl
from serve.api.batches.json_body import answer_array
from serve.api.fast_path import cache_control_values, predict
from serve.api.media_type import CSV, is_csv, read_body, wants_json
from serve.api.problem import Refusal, problem_of
from serve.api.query import read_item, read_items, read_query
from serve.api.response import (
    DOCS_POLICY,
    JSON,
    public_path,
    respond,
    respond_cacheable,
    respond_page,
)
from serve.api.root_document import root_document
from serve.api.wsgi import REQUEST_ID
from serve.pages.assets import read_asset
from serve.pages.login import Authenticator
from serve.pages.rendering import fill, wants_page
from serve.prediction.catalog import Served
from serve.prediction.explanation import explain
from serve.prediction.service import PredictionService
from serve.telemetry.multiprocess import MultiprocessMetrics

from .fallback import DeferredRoutes

if TYPE_CHECKING:
    from serve.telemetry.prometheus import Metrics

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_encode = msgspec.json.Encoder().encode


class Views:
    """What each route of the API returns."""

    def __init__(
        self,
        service: PredictionService,
        access: AccessControl,
        process_metrics: MultiprocessMetrics,
        further: DeferredRoutes,
        authenticator: Authenticator,
    ) -> None:
        self._service = service
        self._access = access
        self._cache_control = cache_control_values(service.settings, is_open=access.is_open)
        self._further = further
        self._authenticator = authenticator
        self._process_metrics = process_metrics

    def root(self) -> HTTPResponse:
        """Return the dashboard to a browser, and a JSON overview to other clients."""
        self._authenticator.require_read_key()
        if wants_page():
            return self._further.answer(request.environ)
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
        client = self._authenticator.client()
        items = read_items(read_body(), explained=explained)
        if not explained:
            return respond(answer_array(items, self._service, served, client, _request_id()))
        predict_item = partial(self._predict_explained, client=client)
        answers = [_answer_item(predict_item, served, *numbered) for numbered in enumerate(items)]
        return respond(b"[" + b",".join(answers) + b"]")

    def _predict_csv(self, served: Served) -> HTTPResponse:
        from serve.api.batches.csv_body import answer_csv  # noqa: PLC0415  most processes never need it

        if _wants_explanations():
            raise Refusal(415, "explain=true needs JSON; send an array, or CSV without it")
        as_json = wants_json()
        client = self._authenticator.client()
        body = answer_csv(read_body(), self._service, served, client, as_json=as_json)
        return respond(body, JSON if as_json else CSV)

    def _predict_explained(
        self, served: Served, raw: dict[str, Any], at: int, client: str
    ) -> bytes:
        """Return the body of a prediction with its explanation as the last member."""
        response = self._service.predict(served, raw, client=client)
        self._service.answers.record(_request_id(), response, at)
        explanation = explain(served, self._service.find_inputs(served, raw))
        return response.body[:-1] + b',"explanation":' + _encode(explanation) + b"}"

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

    @cached_property
    def _metrics(self) -> Metrics:
        from serve.telemetry.all_metrics import make_metrics  # noqa: PLC0415  see there

        return make_metrics(self._process_metrics, self._service.store_reader)

    def openapi(self) -> HTTPResponse:
        """Return the OpenAPI document, made from the datasets' specs."""
        from serve.openapi.document import openapi_document  # noqa: PLC0415  seldom needed

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
