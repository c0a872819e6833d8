"""The page over time: the predictions of a dataset, and how they and their inputs drift."""

from __future__ import annotations

from functools import partial

from bottle import HTTPResponse, request

from serve.api.query import read_query
from serve.api.response import respond_page
from serve.pages.home.page_cache import PageCache
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.rendering import fill
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService
from serve.telemetry.drift import worst_drift

from .input_drift import InputDriftReader
from .over_time_data import read_over_time
from .span import SPANS, Span, find_span


class OverTimePage:
    """The view under /over-time."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._input_drift = InputDriftReader()
        self._pages = PageCache()

    def over_time(self, name: str) -> HTTPResponse:
        """Show what was predicted in a span; values of inputs only to those who may list them."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        span = find_span(read_query(request.query_string).get("span", ""))
        may_list = self._authenticator.may_list()
        # A busy dataset with many labels has a million counts, which take seconds to read.
        page = self._pages.get(
            (served.id, span.name, may_list),
            self._service.catalog.generation,
            partial(self._render, served, span, may_list=may_list),
        )
        return respond_page(page)

    def _render(self, served: Served, span: Span, *, may_list: bool) -> bytes:
        name = served.name
        with self._service.store_reader.reading() as connection:
            data = read_over_time(connection, served.id, span)
            inputs = self._input_drift.read(connection, served, span.hours) if may_list else None
        return fill(
            "over_time",
            here=request.path,
            title=_("{dataset} over time").format(dataset=served.spec.title or name),
            datasets=list(self._service.catalog.datasets),
            dataset=name,
            served=served,
            span=span,
            spans=SPANS,
            data=data,
            worst=worst_drift(data.drifts),
            inputs=inputs,
        )
