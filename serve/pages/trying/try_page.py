"""Views of the dashboard, and of the form to try a model."""

from __future__ import annotations

from collections.abc import Mapping

from bottle import HTTPResponse, request

from db.errors import InputError, UnknownDataset, UnknownRecord, UnknownRow
from db.records.dataset import find_dataset
from db.records.lookup import FoundRecord
from db.records.record_detail import read_record_detail
from db.scoring.response_body import Answer, decode_answer
from serve.api.problem import problem_of
from serve.api.query import in_query, read_query
from serve.api.response import respond_page
from serve.pages.home.dashboard import Dashboard
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator, current_address
from serve.pages.rendering import show
from serve.prediction.catalog import NoModelError, Served
from serve.prediction.explanation import explain
from serve.prediction.service import PredictionService
from serve.store_reader import StoreUnreachable

from .predict_form import FormResult, reason_table


class Pages:
    """The views of / and /try."""

    def __init__(
        self, service: PredictionService, dashboard: Dashboard, authenticator: Authenticator
    ) -> None:
        self._service = service
        self._dashboard = dashboard
        self._authenticator = authenticator

    def dashboard(self) -> HTTPResponse:
        """Show the dashboard of all datasets, or of one."""
        parameters = read_query(request.query_string, only=("dataset",))
        may_change = self._authenticator.may_change()
        page = self._dashboard.page(parameters.get("dataset", ""), may_change=may_change)
        return respond_page(page)

    def try_out(self, name: str) -> HTTPResponse:
        """Show the form of a dataset, with the prediction for the inputs in the query.

        The query may have the id of a row instead; the form then shows the inputs of that row.
        """
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        parameters = read_query(request.query_string)
        if not parameters:
            return self._show(served, self._dashboard.examples(served)[0])
        # A browser also sends the fields that were left empty: drop those, but keep unknown
        # parameters, which are an error.
        names = served.spec.request_names
        given = {name: value for name, value in parameters.items() if value or name not in names}
        try:
            inputs, answer = self._predict(served, given)
        except (InputError, NoModelError, UnknownRow, StoreUnreachable) as error:
            return self._show(served, given, problem_of(error).status, problem=str(error))
        return self._show(served, inputs, answer=answer)

    def _predict(
        self, served: Served, given: Mapping[str, str]
    ) -> tuple[Mapping[str, object], FormResult]:
        """Return the inputs, which are those of a row if its id was given, and the prediction."""
        is_row = served.spec.is_row_id_alone(given)
        if is_row:
            self._authenticator.require_listing_key()
        found = self._service.find(served, given)
        inputs: Mapping[str, object] = {**found.inputs, **given} if is_row else given
        client = self._authenticator.client()
        answer = decode_answer(self._service.try_out(served, found, client).body)
        explanation = explain(served, found.inputs) if served.student else None
        result = FormResult(
            answer,
            found.key.hex() if self._has_record(served, found, answer) else "",
            f"/predict/{served.name}?{in_query(given)}",
            reason_table(explanation, served.spec, answer) if explanation else None,
        )
        return inputs, result

    def _has_record(self, served: Served, found: FoundRecord, answer: Answer) -> bool:
        """Return whether inputs have a record, or will have one in a moment."""
        if found.body is not None or answer.enrichment == "queued":
            return True
        try:
            with self._service.store_reader.reading() as connection:
                dataset = find_dataset(connection, served.name)
                return bool(read_record_detail(connection, dataset, found.key))
        except (UnknownRecord, UnknownDataset, StoreUnreachable):
            return False

    def _show(
        self,
        served: Served,
        inputs: Mapping[str, object],
        status: int = 200,
        answer: FormResult | None = None,
        problem: str = "",
    ) -> HTTPResponse:
        return show(
            "try",
            status,
            title=_("Try {dataset}").format(dataset=served.name),
            datasets=list(self._service.catalog.datasets),
            dataset=served.name,
            served=served,
            inputs=inputs,
            examples=self._dashboard.examples(served),
            answer=answer,
            problem=problem,
            this_address=current_address(),
        )
