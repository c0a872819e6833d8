"""Records: listed, shown one by one, forgotten. A page and its JSON are two forms of one thing."""

from __future__ import annotations

from functools import partial

from bottle import HTTPResponse, request

from db.errors import UnknownRecord
from db.records.dataset import find_dataset
from db.records.listing import Page, list_records
from db.records.record import forget_record
from db.records.record_detail import Dossier, read_dossier
from db.scoring.response_body import decode_answer
from serve.api.query import read_query
from serve.api.response import respond
from serve.prediction.catalog import Served
from serve.prediction.service import Service

from .listing_query import (
    TITLES,
    Question,
    as_csv,
    as_json,
    encode_json,
    read_format,
    read_question,
)
from .login import Door
from .rendering import read_form, see, show, wants_page

KEY_BYTES = 16
CSV = "text/csv; charset=utf-8"


class RecordPages:
    """A dataset's records, as they are in the store."""

    def __init__(self, service: Service, door: Door) -> None:
        self._service = service
        self._door = door

    def records(self, name: str) -> HTTPResponse:
        """List records: as a page for browsers, else as JSON; as CSV where that is asked for."""
        self._door.require_read_key()
        served = self._service.catalog.find(name)
        question = read_question(read_query(request.query_string))
        page = self._page(served, question)
        response = self._respond(served, question, page)
        if page.after:
            link = f'<{question.path(name, after=page.after)}>; rel="next"'
            response.set_header("Link", link)
        return response

    def _page(self, served: Served, question: Question) -> Page:
        with self._service.shelf.at_hand() as connection:
            return list_records(
                connection,
                served.id,
                question.wanted,
                regression=served.spec.kind == "regression",
                after=question.after,
                rows=question.rows,
            )

    def _respond(self, served: Served, question: Question, page: Page) -> HTTPResponse:
        form = question.format or ("html" if wants_page() else "json")
        if form == "json":
            return respond(as_json(served.name, question, page))
        if form == "csv":
            response = respond(as_csv(served.spec, page), CSV)
            response.set_header("Content-Disposition", f'attachment; filename="{served.name}.csv"')
            return response
        return show(
            "records",
            title=f"Records of {served.name}",
            datasets=list(self._service.catalog.datasets),
            served=served,
            question=question,
            listing=page,
            labels=served.spec.labels or served.student_labels,
            titles=TITLES,
        )

    def record(self, name: str, key: str) -> HTTPResponse:
        """Show everything that is known of one record."""
        self._door.require_read_key()
        form = read_format(read_query(request.query_string), ("json", "html"))
        if form == "json" or not (form or wants_page()):
            return respond(_as_json(name, self._dossier(name, key)))
        return self._show(name, key)

    def _show(self, name: str, key: str, status: int = 200, problem: str = "") -> HTTPResponse:
        served, dossier = self._service.catalog.find(name), self._dossier(name, key)
        return show(
            "record",
            status,
            title=f"{name} {key[:8]}",
            datasets=list(self._service.catalog.datasets),
            served=served,
            it=dossier,
            answer=decode_answer(dossier.prediction) if dossier.prediction else None,
            problem=problem,
        )

    def _dossier(self, name: str, key: str) -> Dossier:
        self._service.catalog.find(name)
        wanted = _read_key(key)
        with self._service.shelf.at_hand() as connection:
            return read_dossier(connection, find_dataset(connection, name), wanted)

    def forget(self, name: str, key: str) -> HTTPResponse:
        """Erase one record and all that came of it, for whoever has a key."""
        self._door.require_write_key("forgetting a record")
        self._forget(name, key)
        return respond(encode_json({"forgotten": key}))

    def forget_by_form(self, name: str, key: str) -> HTTPResponse:
        """Erase one record, for whoever puts a key into the form."""
        self._door.require_read_key()
        if not self._door.is_api_key(read_form().get("api_key", "")):
            words = "This is none of the API_KEYS; nothing was forgotten."
            return self._show(name, key, 403, words)
        self._forget(name, key)
        return see(f"/records/{name}")

    def _forget(self, name: str, key: str) -> None:
        served = self._service.catalog.find(name)
        forget = partial(forget_record, dataset_id=served.id, key=_read_key(key))
        self._service.store.write(forget)


def _read_key(key: str) -> bytes:
    """Return a record's key; raises UnknownRecord."""
    try:
        read = bytes.fromhex(key)
    except ValueError:
        read = b""
    if len(read) != KEY_BYTES or read.hex() != key:
        raise UnknownRecord(f"{key!r} is no key of a record; it has 32 hex digits")
    return read


def _as_json(name: str, it: Dossier) -> bytes:
    fields = {field: getattr(it, field) for field in Dossier.__dataclass_fields__}
    body = it.prediction
    answer = None if body is None else decode_answer(body)
    return encode_json({"dataset": name, **fields, "prediction": answer})
