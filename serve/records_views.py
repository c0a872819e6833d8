"""The view of POST /records: rows that become observations and records."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from bottle import HTTPResponse
from sqlalchemy import Connection

from db.errors import InputError
from db.ingestion.row import NewRow, RowCounts
from db.ingestion.submission import add_rows, add_rows_once
from db.records.dataset import find_dataset
from db.spec.dataset_spec import DatasetSpec
from serve.api.media_type import read_body, read_idempotency_key
from serve.api.problem import Refusal
from serve.api.query import read_item, read_items
from serve.api.response import respond
from serve.pages.login import Authenticator
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

_encode = msgspec.json.Encoder().encode


class RecordsViews:
    """The view of POST /records."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def add(self, name: str) -> HTTPResponse:
        """Add rows, all or none; needs an API key."""
        self._authenticator.require_write_key("adding records")
        served = self._service.catalog.find(name)
        body = read_body()
        rows = _read_rows(served.spec, read_items(body))
        key = read_idempotency_key()
        add = partial(_add, served=served, rows=rows, key=key, body=body)
        return respond(_encode(self._service.write(add)))


def _add(
    connection: Connection, served: Served, rows: list[NewRow], key: str, body: bytes
) -> RowCounts:
    """Write rows as an import of a file would; with a key they stand beside others, once."""
    dataset = find_dataset(connection, served.name)
    if not key:
        return add_rows(connection, dataset, rows, "api")
    return add_rows_once(connection, dataset, rows, "api", key, body)


def _read_rows(spec: DatasetSpec, items: list[msgspec.Raw]) -> list[NewRow]:
    """Return all items as rows; raises Refusal naming every bad one."""
    rows: list[NewRow] = []
    problems: list[Any] = []
    for at, item in enumerate(items):
        try:
            values = read_item(item)
            label = spec.read_label(values.pop(spec.target, None))
            row_id = spec.pick_row_id(values)
            inputs = spec.read_inputs(values)
        except InputError as error:
            problems.append({"item": at, "field": error.field, "reason": error.reason})
        else:
            rows.append(NewRow(spec.key(inputs), inputs, label, row_id))
    if problems:
        raise Refusal(400, f"{len(problems)} bad items, so nothing was added", problems)
    return rows
