"""The dashboard, and the box to try a model in."""

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
from .login import Authenticator, address
from .predict_form import FormResult
from .rendering import show


class Pages:
    """What goes on, and what a model says."""

    def __init__(
        self, service: PredictionService, dashboard: Dashboard, authenticator: Authenticator
    ) -> None:
        self._service = service
        self._dashboard = dashboard
        self._authenticator = authenticator

    def dashboard(self) -> HTTPResponse:
        """Show all that goes on, or one dataset of it."""
        given = read_query(request.query_string, only=("dataset",))
        return respond_page(self._dashboard.page(given.get("dataset", "")))

    def try_out(self, name: str) -> HTTPResponse:
        """Show the form of a dataset, and the answer to what was put into it."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        given = read_query(request.query_string)
        # A browser sends what was left empty, too.
        given = {it: value for it, value in given.items() if value or it not in served.spec.fields}
        if not given:
            return self._show(served, served.spec.example_inputs())
        try:
            return self._show(served, given, answer=self._ask(served, given))
        except (InputError, NoModelError) as error:
            return self._show(served, given, problem_of(error).status, problem=str(error))

    def _ask(self, served: Served, given: Mapping[str, str]) -> FormResult:
        key = served.spec.key(served.spec.read_inputs(given))
        cached = self._service.try_out(served, given)
        path = f"/predict/{served.name}?{in_query(given)}"
        return FormResult(decode_answer(cached.body), key.hex(), path)

    def _show(
        self,
        served: Served,
        given: Mapping[str, object],
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
            given=given,
            examples=self._dashboard.examples(served),
            answer=answer,
            problem=problem,
            run_once=address(),
        )
