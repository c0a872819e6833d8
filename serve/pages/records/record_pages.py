"""Views that show and delete one record, as a page and as JSON."""

from __future__ import annotations

from functools import partial

from bottle import HTTPResponse, request

from db.errors import UnknownRecord
from db.records.dataset import find_dataset
from db.records.enrichment import existing_neighbours
from db.records.record import forget_record
from db.records.record_detail import RecordDetail, read_record_detail
from db.scoring.explanation import Neighbour
from db.scoring.response_body import decode_answer
from db.spec.record_key import KEY_BYTES
from serve.api.query import read_query
from serve.api.response import respond
from serve.pages.labelling.label_control import LabelControl, labels_to_choose, undoable
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator, require_own_form
from serve.pages.rendering import read_form, redirect, show, wants_page
from serve.prediction.catalog import Served
from serve.prediction.explanation import neighbours_enrichers
from serve.prediction.service import PredictionService

from .listing_output import encode_json
from .listing_query import read_format
from .record_answer import record_answer


class RecordPages:
    """The views of one record under /records and /forget."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def record(self, name: str, key: str) -> HTTPResponse:
        """Show one record with its enrichments and its prediction."""
        self._authenticator.require_listing_key()
        format_name = read_format(read_query(request.query_string), ("json", "html"))
        if format_name == "json" or not (format_name or wants_page()):
            return respond(_as_json(name, self._detail(name, key)))
        return self.show_record(name, key)

    def show_record(
        self, name: str, key: str, status: int = 200, problem: str = ""
    ) -> HTTPResponse:
        """Show the page of a record, with what is wrong with a form that was sent from it."""
        served, detail = self._service.catalog.find(name), self._detail(name, key)
        return show(
            "record",
            status,
            title=f"{name} {key[:8]}",
            datasets=list(self._service.catalog.datasets),
            dataset=name,
            served=served,
            record=detail,
            neighbours=self._neighbours(served, detail),
            answer=record_answer(served, detail),
            control=self._control(served, detail),
            problem=problem,
        )

    def _control(self, served: Served, record: RecordDetail) -> LabelControl:
        has_api_keys = bool(self._service.settings.api_keys)
        if not self._authenticator.may_change():
            return LabelControl(may_label=False, has_api_keys=has_api_keys)
        given = read_query(request.query_string).get("labelled", "")
        with self._service.store_reader.reading() as connection:
            labels = labels_to_choose(connection, served)
        return LabelControl(
            may_label=True,
            has_api_keys=has_api_keys,
            labels=labels,
            given=undoable(record, given, self._authenticator.client()),
        )

    def _detail(self, name: str, key: str) -> RecordDetail:
        self._service.catalog.find(name)
        record_key = read_key(key)
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
        """Delete one record if the browser is signed in, or the form has a key, from API_KEYS."""
        self._authenticator.require_listing_key()
        require_own_form()
        may_delete = self._authenticator.may_change() or self._authenticator.is_api_key(
            read_form().get("api_key", "")
        )
        if not may_delete:
            problem = _("Wrong API key. The record was not deleted.")
            return self.show_record(name, key, 403, problem)
        self._forget(name, key)
        return redirect(f"/records/{name}")

    def _forget(self, name: str, key: str) -> None:
        served = self._service.catalog.find(name)
        forget = partial(forget_record, dataset_id=served.id, key=read_key(key))
        self._service.write(forget)


def read_key(key: str) -> bytes:
    """Decode a record's key; raises UnknownRecord."""
    try:
        decoded = bytes.fromhex(key)
    except ValueError:
        decoded = b""
    if len(decoded) != KEY_BYTES or decoded.hex() != key:
        raise UnknownRecord(f"{key!r} is not a record's key; a key has 32 lower-case hex digits")
    return decoded


def _as_json(name: str, record: RecordDetail) -> bytes:
    fields = {field: getattr(record, field) for field in RecordDetail.__dataclass_fields__}
    body = record.prediction
    answer = None if body is None else decode_answer(body)

    return encode_json({"dataset": name, **fields, "prediction": answer})
