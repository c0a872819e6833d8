"""Views of the dashboard, and of the form to try a model."""

from __future__ import annotations

from collections.abc import Mapping

from bottle import HTTPResponse, request

from db.errors import InputError
from db.scoring.response_body import decode_answer
from serve.api.problem import problem_of
from serve.api.query import in_query, read_query
from serve.api.response import respond_page
from serve.prediction.catalog import NoModelError, Served
from serve.prediction.service import PredictionService

from .dashboard import Dashboard
from .login import Authenticator, current_address
from .predict_form import FormResult
from .rendering import show


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
        return respond_page(self._dashboard.page(parameters.get("dataset", "")))

    def try_out(self, name: str) -> HTTPResponse:
        """Show the form of a dataset, with the prediction for the inputs in the query."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        parameters = read_query(request.query_string)
        # A browser also sends the fields that were left empty: drop those, but keep unknown
        # parameters, which are an error.
        inputs = {
            name: value
            for name, value in parameters.items()
            if value or name not in served.spec.fields
        }
        if not inputs:
            return self._show(served, served.spec.example_inputs())
        try:
            return self._show(served, inputs, answer=self._predict(served, inputs))
        except (InputError, NoModelError) as error:
            return self._show(served, inputs, problem_of(error).status, problem=str(error))

    def _predict(self, served: Served, inputs: Mapping[str, str]) -> FormResult:
        key = served.spec.key(served.spec.read_inputs(inputs))
        cached = self._service.try_out(served, inputs)
        path = f"/predict/{served.name}?{in_query(inputs)}"
        return FormResult(decode_answer(cached.body), key.hex(), path)

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
            title=f"Try {served.name}",
            datasets=list(self._service.catalog.datasets),
            served=served,
            inputs=inputs,
            examples=self._dashboard.examples(served),
            answer=answer,
            problem=problem,
            this_address=current_address(),
        )
