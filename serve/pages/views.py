"""The pages' routes. A page and its JSON are two forms of one thing, at one address."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote

from bottle import HTTPResponse, request

from db.answer import decode_answer
from db.dataset import find_dataset
from db.dossier import Dossier, read_dossier
from db.errors import InputError, UnknownRecord
from db.listing import list_records
from db.record import forget_record

from ..access import COOKIE
from ..catalog import NoModelError, Served
from ..problem import Problem, Refusal
from ..query import read_query
from ..response import respond, respond_page, respond_problem
from ..service import Service
from .dashboard import Dashboard
from .listing import (
    TITLES,
    Question,
    as_csv,
    as_json,
    encode_json,
    read_format,
    read_question,
)
from .page import fill
from .trial import Said, in_query

KEY_BYTES = 16
CSV = "text/csv; charset=utf-8"


def wants_page() -> bool:
    """Tell whether a browser asks."""
    return "text/html" in request.environ.get("HTTP_ACCEPT", "")


class Pages:
    """What each route of a page answers."""

    def __init__(self, service: Service, dashboard: Dashboard) -> None:
        self._service = service
        self._dashboard = dashboard

    def dashboard(self) -> HTTPResponse:
        """Show all that goes on, or one dataset of it."""
        given = read_query(request.query_string, only=("dataset",))
        return respond_page(self._dashboard.page(given.get("dataset", "")))

    def try_out(self, name: str) -> HTTPResponse:
        """Show the form of a dataset, and the answer to what was put into it."""
        self.require_read_key()
        served = self._service.catalog.find(name)
        given = read_query(request.query_string)
        # A browser sends what was left empty, too.
        given = {it: value for it, value in given.items() if value or it not in served.spec.fields}
        if not given:
            return self._try_page(served, served.spec.example_inputs())
        try:
            inputs = served.spec.read_inputs(given)
            kept = self._service.try_out(served, given)
        except (InputError, NoModelError) as error:
            return self._try_page(served, given, problem=str(error))
        path = f"/predict/{name}?{in_query(given)}"
        said = Said(decode_answer(kept.body), served.spec.key(inputs).hex(), path)
        return self._try_page(served, given, answer=said)

    def _try_page(
        self,
        served: Served,
        given: Any,  # noqa: ANN401  as text or as values
        answer: Said | None = None,
        problem: str = "",
    ) -> HTTPResponse:
        page = self._fill(
            "try",
            f"Try {served.name}",
            served=served,
            given=given,
            examples=self._dashboard.examples(served),
            answer=answer,
            problem=problem,
        )
        response = respond_page(page)
        response.status = 400 if problem else 200
        return response

    def records(self, name: str) -> HTTPResponse:
        """List records: as a page for browsers, else as JSON; as CSV where that is asked for."""
        self.require_read_key()
        served = self._service.catalog.find(name)
        question = read_question(read_query(request.query_string))
        page = list_records(
            self._service.shelf.lend(),
            served.id,
            question.wanted,
            regression=served.spec.kind == "regression",
            after=question.after,
            rows=question.rows,
        )
        form = question.format or ("html" if wants_page() else "json")
        if form == "json":
            return _following(respond(as_json(name, question, page)), name, question, page.after)
        if form == "csv":
            csv = respond(as_csv(served.spec, page), CSV)
            csv.set_header("Content-Disposition", f'attachment; filename="{name}.csv"')
            return _following(csv, name, question, page.after)
        labels = served.spec.labels or served.student_labels
        shown = self._fill(
            "records",
            f"Records of {name}",
            served=served,
            question=question,
            listing=page,
            labels=labels,
            titles=TITLES,
        )
        return respond_page(shown)

    def record(self, name: str, key: str) -> HTTPResponse:
        """Show everything that is known of one record."""
        self.require_read_key()
        served = self._service.catalog.find(name)
        dossier = self._dossier(name, key)
        form = read_format(read_query(request.query_string), ("json", "html"))
        if form == "json" or not (form or wants_page()):
            return respond(_dossier_json(name, dossier))
        answer = decode_answer(dossier.prediction) if dossier.prediction else None
        page = self._fill(
            "record", f"{name} {key[:8]}", served=served, it=dossier, answer=answer, problem=""
        )
        return respond_page(page)

    def _dossier(self, name: str, key: str) -> Dossier:
        connection = self._service.shelf.lend()
        return read_dossier(connection, find_dataset(connection, name), read_key(key))

    def forget(self, name: str, key: str) -> HTTPResponse:
        """Erase one record and all that came of it, for whoever has a key."""
        if not self._service.access.may_write(request.environ):
            hint = "send Authorization: Bearer KEY, with a key from API_KEYS"
            raise Refusal(401, f"forgetting a record needs a key; {hint}")
        self._forget(name, key)
        return respond(encode_json({"forgotten": key}))

    def forget_by_form(self, name: str, key: str) -> HTTPResponse:
        """Erase one record, for whoever puts a key into the form: one in a cookie is not enough."""
        self.require_read_key()
        if not self._service.access.is_api_key(_form().get("api_key", "")):
            served, dossier = self._service.catalog.find(name), self._dossier(name, key)
            answer = decode_answer(dossier.prediction) if dossier.prediction else None
            page = self._fill(
                "record",
                f"{name} {key[:8]}",
                served=served,
                it=dossier,
                answer=answer,
                problem="This is none of the API_KEYS; nothing was forgotten.",
            )
            response = respond_page(page)
            response.status = 403
            return response
        self._forget(name, key)
        raise _see(f"/records/{name}")

    def _forget(self, name: str, key: str) -> None:
        served = self._service.catalog.find(name)
        forget = partial(forget_record, dataset_id=served.id, key=read_key(key))
        self._service.store.write(forget)

    def key(self) -> HTTPResponse:
        """Ask for the key that the pages are read with."""
        return self._key_page(_local(read_query(request.query_string).get("next", "/")))

    def take_key(self) -> HTTPResponse:
        """Keep a key in a cookie, if it is one."""
        form = _form()
        key, following = form.get("key", ""), _local(form.get("next", "/"))
        if not self._service.access.is_read_key(key):
            response = self._key_page(following, "This is none of the READ_KEYS.")
            response.status = 403
            return response
        response = _see(following)
        secure = "; Secure" if request.urlparts.scheme == "https" else ""
        response.set_header(
            "Set-Cookie", f'{COOKIE}="{key}"; Path=/; HttpOnly; SameSite=Strict{secure}'
        )
        raise response

    def _key_page(self, following: str, problem: str = "") -> HTTPResponse:
        # The names of datasets are for those who have a key.
        page = fill("key", title="Key", datasets=[], following=following, problem=problem)
        return respond_page(page)

    def _fill(self, name: str, title: str, **values: Any) -> bytes:  # noqa: ANN401
        datasets = list(self._service.catalog.datasets)
        return fill(name, title=title, datasets=datasets, **values)

    def require_read_key(self) -> None:
        """Refuse who may not read: a browser is asked for a key."""
        if self._service.access.may_read(request.environ):
            return
        if wants_page() and request.method in {"GET", "HEAD"}:
            query = f"?{request.query_string}" if request.query_string else ""
            raise _see(f"/key?next={quote(request.path + query, safe='')}")
        hint = "send Authorization: Bearer KEY, with a key from READ_KEYS"
        raise Refusal(401, f"this needs a key; {hint}")


def show_problem(problem: Problem) -> HTTPResponse:
    """Return a problem: to a browser as a page, to others as JSON."""
    response = respond_problem(problem)
    if wants_page():
        page = fill("trouble", title=problem.title, detail=problem.detail, datasets=[])
        shown = respond_page(page)
        response.body = shown.body
        for name in ("Content-Type", "Content-Security-Policy"):
            response.set_header(name, shown.get_header(name))
    return response


def read_key(key: str) -> bytes:
    """Return a record's key; raises UnknownRecord."""
    try:
        read = bytes.fromhex(key)
    except ValueError:
        read = b""
    if len(read) != KEY_BYTES or read.hex() != key:
        raise UnknownRecord(f"{key!r} is no key of a record; it has 32 hex digits")
    return read


def _dossier_json(name: str, it: Dossier) -> bytes:
    fields = {field: getattr(it, field) for field in Dossier.__dataclass_fields__}
    body = it.prediction
    return encode_json(
        {"dataset": name, **fields, "prediction": None if body is None else decode_answer(body)}
    )


def _following(response: HTTPResponse, name: str, question: Question, after: str) -> HTTPResponse:
    if after:
        response.set_header("Link", f'<{question.path(name, after=after)}>; rel="next"')
    return response


def _form() -> dict[str, str]:
    """Return what a form was filled in with."""
    body: bytes = request.body.read()
    found = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1].strip() for name, values in found.items()}


def _local(path: str) -> str:
    """Return a path of ours, the dashboard's instead of any other address."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_ours and path.isprintable() else "/"


def _see(path: str) -> HTTPResponse:
    """Return what sends a browser on to another page."""
    return HTTPResponse(b"", 303, {"Location": path})
