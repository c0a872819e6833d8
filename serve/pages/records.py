"""Records: listed, shown one by one, forgotten. A page and its JSON are two forms of one thing."""

from __future__ import annotations

from functools import partial

from bottle import HTTPResponse, request

from db.errors import UnknownRecord
from db.records.dataset import find_dataset
from db.records.listing import ListingPage, list_records
from db.records.record import forget_record
from db.records.record_detail import RecordDetail, read_record_detail
from db.scoring.response_body import decode_answer
from serve.api.query import read_query
from serve.api.response import respond
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

from .listing_query import (
    TITLES,
    ListingQuery,
    as_csv,
    as_json,
    encode_json,
    read_format,
    read_listing_query,
)
from .login import Authenticator
from .rendering import read_form, redirect, show, wants_page

KEY_BYTES = 16
CSV = "text/csv; charset=utf-8"


class RecordPages:
    """A dataset's records, as they are in the store."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def records(self, name: str) -> HTTPResponse:
        """List records: as a page for browsers, else as JSON; as CSV where that is asked for."""
        self._authenticator.require_read_key()
        served = self._service.catalog.find(name)
        query = read_listing_query(read_query(request.query_string))
        page = self._page(served, query)
        response = self._respond(served, query, page)
        if page.after:
            link = f'<{query.path(name, after=page.after)}>; rel="next"'
            response.set_header("Link", link)
        return response

    def _page(self, served: Served, query: ListingQuery) -> ListingPage:
        with self._service.store_reader.reading() as connection:
            return list_records(
                connection,
                served.id,
                query.filter,
                regression=served.spec.kind == "regression",
                after=query.after,
                rows=query.rows,
            )

    def _respond(self, served: Served, query: ListingQuery, page: ListingPage) -> HTTPResponse:
        form = query.format or ("html" if wants_page() else "json")
        if form == "json":
            return respond(as_json(served.name, query, page))
        if form == "csv":
            response = respond(as_csv(served.spec, page), CSV)
            response.set_header("Content-Disposition", f'attachment; filename="{served.name}.csv"')
            return response
        return show(
            "records",
            title=f"Records of {served.name}",
            datasets=list(self._service.catalog.datasets),
            served=served,
            query=query,
            listing=page,
            labels=served.spec.labels or served.student_labels,
            titles=TITLES,
        )

    def record(self, name: str, key: str) -> HTTPResponse:
        """Show everything that is known of one record."""
        self._authenticator.require_read_key()
        form = read_format(read_query(request.query_string), ("json", "html"))
        if form == "json" or not (form or wants_page()):
            return respond(_as_json(name, self._detail(name, key)))
        return self._show(name, key)

    def _show(self, name: str, key: str, status: int = 200, problem: str = "") -> HTTPResponse:
        served, detail = self._service.catalog.find(name), self._detail(name, key)
        return show(
            "record",
            status,
            title=f"{name} {key[:8]}",
            datasets=list(self._service.catalog.datasets),
            served=served,
            it=detail,
            answer=decode_answer(detail.prediction) if detail.prediction else None,
            problem=problem,
        )

    def _detail(self, name: str, key: str) -> RecordDetail:
        self._service.catalog.find(name)
        wanted = _read_key(key)
        with self._service.store_reader.reading() as connection:
            return read_record_detail(connection, find_dataset(connection, name), wanted)

    def forget(self, name: str, key: str) -> HTTPResponse:
        """Erase one record and all that came of it, for whoever has a key."""
        self._authenticator.require_write_key("forgetting a record")
        self._forget(name, key)
        return respond(encode_json({"forgotten": key}))

    def forget_by_form(self, name: str, key: str) -> HTTPResponse:
        """Erase one record, for whoever puts a key into the form."""
        self._authenticator.require_read_key()
        if not self._authenticator.is_api_key(read_form().get("api_key", "")):
            words = "This is none of the API_KEYS; nothing was forgotten."
            return self._show(name, key, 403, words)
        self._forget(name, key)
        return redirect(f"/records/{name}")

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


def _as_json(name: str, it: RecordDetail) -> bytes:
    fields = {field: getattr(it, field) for field in RecordDetail.__dataclass_fields__}
    body = it.prediction
    answer = None if body is None else decode_answer(body)
    return encode_json({"dataset": name, **fields, "prediction": answer})
