"""Views that list, show and delete records, as a page, as JSON and as CSV."""

from __future__ import annotations

from functools import partial

from bottle import HTTPResponse, request

from db.errors import InputError, UnknownRecord, UnknownRow
from db.records.dataset import find_dataset
from db.records.enrichment import Neighbour, existing_neighbours
from db.records.listing import ListedRecord, ListingPage, list_records
from db.records.record import forget_record
from db.records.record_detail import RecordDetail, read_record_detail
from db.scoring.response_body import decode_answer
from serve.api.query import read_query
from serve.api.response import public_path, respond
from serve.pages.login import Authenticator, require_own_form
from serve.pages.rendering import read_form, redirect, show, wants_page
from serve.prediction.catalog import Served
from serve.prediction.explanation import neighbours_enrichers
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

KEY_BYTES = 16
CSV = "text/csv; charset=utf-8"


class RecordPages:
    """The views under /records and /forget."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def records(self, name: str) -> HTTPResponse:
        """List records: as a page for browsers, as JSON for other clients, as CSV on request."""
        self._authenticator.require_listing_key()
        served = self._service.catalog.find(name)
        query = read_listing_query(read_query(request.query_string))
        page = self._row(served, query.row) if query.row else self._page(served, query)
        response = self._respond(served, query, page)
        if page.after:
            following = public_path(query.path(name, after=page.after))
            link = f'<{following}>; rel="next"'
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

    def _row(self, served: Served, row_id: str) -> ListingPage:
        """Return the record of one row as a listing, which is empty if there is no such row."""
        if not served.spec.id:
            raise InputError("row", f"{served.name} has no id by which a row can be found")
        try:
            key = self._service.find_row(served, row_id).key.hex()
            return ListingPage([_as_listed(self._detail(served.name, key))])
        except (UnknownRow, UnknownRecord):
            return ListingPage([])

    def _respond(self, served: Served, query: ListingQuery, page: ListingPage) -> HTTPResponse:
        format_name = query.format or ("html" if wants_page() else "json")
        is_unknown = bool(query.row and not page.rows)
        if is_unknown and format_name != "html":
            raise UnknownRow(f"{served.name} has no row with the {served.spec.id} {query.row!r}")
        if format_name == "json":
            return respond(as_json(served.name, query, page))
        if format_name == "csv":
            response = respond(as_csv(served.spec, page), CSV)
            response.set_header("Content-Disposition", f'attachment; filename="{served.name}.csv"')
            return response
        return show(
            "records",
            404 if is_unknown else 200,
            title=f"Records of {served.name}",
            datasets=list(self._service.catalog.datasets),
            served=served,
            query=query,
            listing=page,
            labels=served.spec.labels or served.student_labels,
            titles=TITLES,
        )

    def record(self, name: str, key: str) -> HTTPResponse:
        """Show one record with its enrichments and its prediction."""
        self._authenticator.require_listing_key()
        format_name = read_format(read_query(request.query_string), ("json", "html"))
        if format_name == "json" or not (format_name or wants_page()):
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
            record=detail,
            neighbours=self._neighbours(served, detail),
            answer=decode_answer(detail.prediction) if detail.prediction else None,
            problem=problem,
        )

    def _detail(self, name: str, key: str) -> RecordDetail:
        self._service.catalog.find(name)
        record_key = _read_key(key)
        with self._service.store_reader.reading() as connection:
            return read_record_detail(connection, find_dataset(connection, name), record_key)

    def _neighbours(self, served: Served, detail: RecordDetail) -> dict[str, list[Neighbour]]:
        """Return the neighbours that still exist, by the enricher that found them."""
        names = neighbours_enrichers(served.spec)
        values = {one.enricher: one.value for one in detail.values if one.enricher in names}
        with self._service.store_reader.reading() as connection:
            found = {
                name: existing_neighbours(connection, served.id, value)
                for name, value in values.items()
            }
        return {name: neighbours for name, neighbours in found.items() if neighbours is not None}

    def forget(self, name: str, key: str) -> HTTPResponse:
        """Delete one record and everything derived from it; needs a key from API_KEYS."""
        self._authenticator.require_write_key("deleting a record")
        self._forget(name, key)
        return respond(encode_json({"forgotten": key}))

    def forget_by_form(self, name: str, key: str) -> HTTPResponse:
        """Delete one record if the form has a key from API_KEYS."""
        self._authenticator.require_listing_key()
        require_own_form()
        if not self._authenticator.is_api_key(read_form().get("api_key", "")):
            return self._show(name, key, 403, "Wrong API key. The record was not deleted.")
        self._forget(name, key)
        return redirect(f"/records/{name}")

    def _forget(self, name: str, key: str) -> None:
        served = self._service.catalog.find(name)
        forget = partial(forget_record, dataset_id=served.id, key=_read_key(key))
        self._service.write(forget)


def _read_key(key: str) -> bytes:
    """Decode a record's key; raises UnknownRecord."""
    try:
        decoded = bytes.fromhex(key)
    except ValueError:
        decoded = b""
    if len(decoded) != KEY_BYTES or decoded.hex() != key:
        raise UnknownRecord(f"{key!r} is not a record's key; a key has 32 lower-case hex digits")
    return decoded


def _as_listed(record: RecordDetail) -> ListedRecord:
    names = ListedRecord.__dataclass_fields__
    return ListedRecord(**{name: getattr(record, name) for name in names})


def _as_json(name: str, record: RecordDetail) -> bytes:
    fields = {field: getattr(record, field) for field in RecordDetail.__dataclass_fields__}
    body = record.prediction
    answer = None if body is None else decode_answer(body)

    return encode_json({"dataset": name, **fields, "prediction": answer})
