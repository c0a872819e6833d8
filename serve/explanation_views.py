"""The views under /explain: why a prediction is what it is."""

from __future__ import annotations

import msgspec
from bottle import HTTPResponse, request

from serve.api.access.api_keys import AccessControl
from serve.api.fast_path import cache_control_values
from serve.api.query import read_query
from serve.api.response import respond_cacheable
from serve.pages.login import Authenticator
from serve.prediction.catalog import Served
from serve.prediction.explanation import ExplanationBody, explain, neighbours_enrichers
from serve.prediction.neighbours import find_neighbours
from serve.prediction.service import PredictionService, tag_of

_encode = msgspec.json.Encoder().encode


class ExplanationViews:
    """What the routes under /explain return."""

    def __init__(
        self, service: PredictionService, access: AccessControl, authenticator: Authenticator
    ) -> None:
        self._service = service
        self._access = access
        self._authenticator = authenticator
        self._cache_control = cache_control_values(service.settings, is_open=access.is_open)

    def explain(self) -> HTTPResponse:
        """Explain the answer of the one dataset that has these fields."""
        return self._explain()

    def explain_named(self, name: str) -> HTTPResponse:
        """Explain the answer of a dataset."""
        return self._explain(name)

    def _explain(self, name: str = "") -> HTTPResponse:
        self._authenticator.require_read_key()
        fields, catalog = read_query(request.query_string), self._service.catalog
        served = catalog.find(name) if name else catalog.match(fields)
        of_row = served.spec.is_row_id_alone(fields)
        if of_row:
            self._authenticator.require_listing_key()
        explanation = self._explanation(served, fields)
        body = _encode(explanation)
        cache_control = self._cache_control_of(served, explanation, of_row=of_row)
        return respond_cacheable(body, tag_of(body), cache_control)

    def _explanation(self, served: Served, fields: dict[str, str]) -> ExplanationBody:
        """Return an explanation, with the neighbours for those who may see records."""
        inputs = self._service.find_inputs(served, fields)
        if not self._access.may_list(request.environ):
            return explain(served, inputs)
        reader = self._service.store_reader
        return explain(served, inputs, find_neighbours(reader, served, inputs))

    def _cache_control_of(
        self, served: Served, explanation: ExplanationBody, *, of_row: bool
    ) -> str:
        has_neighbours = bool(neighbours_enrichers(served.spec))
        if (of_row or has_neighbours) and self._access.is_open and not self._access.lists_records:
            # Clients without a key get less, and no cache may give them what others got.
            return "private, no-cache"
        # Neighbours may change at any time, as a student's answer may.
        return self._cache_control["student" if has_neighbours else explanation.source]
