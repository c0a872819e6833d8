"""The page over time: the predictions of a dataset, and how they and their inputs drift."""

from __future__ import annotations

from bottle import HTTPResponse, request

from serve.api.query import read_query
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.rendering import show
from serve.prediction.service import PredictionService
from serve.telemetry.drift import worst_drift

from .input_drift import InputDriftReader
from .over_time_data import read_over_time
from .span import SPANS, find_span


class OverTimePage:
    """The view under /over-time."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._input_drift = InputDriftReader()

    def over_time(self, name: str) -> HTTPResponse:
        """Show what was predicted in a span; values of inputs only to those who may list them."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        span = find_span(read_query(request.query_string).get("span", ""))
        may_list = self._authenticator.may_list()
        with self._service.store_reader.reading() as connection:
            data = read_over_time(connection, served.id, span)
            inputs = self._input_drift.read(connection, served, span.hours) if may_list else None
        return show(
            "over_time",
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
