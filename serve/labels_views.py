"""The view that takes the truth which comes later: POST /labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from bottle import HTTPResponse
from sqlalchemy import Connection

from db.errors import InputError, ToldLabelsRefused
from db.labels.told_label import REQUEST_ID, ToldLabel, read_request_id
from db.labels.told_once import tell_labels_once
from db.labels.truth import TellCounts, tell_labels
from db.records.dataset import find_dataset
from db.spec.dataset_spec import DatasetSpec
from serve.api.media_type import read_body, read_idempotency_key
from serve.api.problem import Refusal
from serve.api.query import read_item, read_items
from serve.api.response import respond
from serve.pages.login import Authenticator
from serve.prediction.service import PredictionService

_encode = msgspec.json.Encoder().encode


class LabelsViews:
    """The view of POST /labels."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def tell(self, name: str) -> HTTPResponse:
        """Keep labels that are told later, all or none; needs an API key."""
        self._authenticator.require_write_key("telling labels")
        served = self._service.catalog.find(name)
        body = read_body()
        told = _Told(
            items=_read_told_items(served.spec, read_items(body)),
            author=self._authenticator.client(),
            key=read_idempotency_key(),
            body=body,
        )
        try:
            return respond(_encode(self._service.write(partial(_tell, name=name, told=told))))
        except ToldLabelsRefused as refused:
            raise _refusal(refused.faults) from None


@dataclass(frozen=True)
class _Told:
    """The labels of a request, its client, its Idempotency-Key, and its body."""

    items: list[ToldLabel]
    author: str
    key: str
    body: bytes


def _tell(connection: Connection, name: str, told: _Told) -> TellCounts:
    dataset = find_dataset(connection, name)
    if not told.key:
        return tell_labels(connection, dataset, told.items, told.author)
    return tell_labels_once(connection, dataset, told.items, told.author, told.key, told.body)


def _read_told_items(spec: DatasetSpec, items: list[msgspec.Raw]) -> list[ToldLabel]:
    """Return all items as labels; raises Refusal naming every bad one."""
    told: list[ToldLabel] = []
    faults: dict[int, InputError] = {}
    for at, item in enumerate(items):
        try:
            told.append(read_told(spec, read_item(item)))
        except InputError as error:
            faults[at] = error
    if faults:
        raise _refusal(faults)
    return told


def _refusal(faults: Mapping[int, InputError]) -> Refusal:
    problems = [
        {"item": at, "field": error.field, "reason": error.reason} for at, error in faults.items()
    ]
    return Refusal(400, f"{len(problems)} bad items, so no label was kept", problems)


def read_told(spec: DatasetSpec, values: dict[str, Any]) -> ToldLabel:
    """Return an item of a request as a label and what it is the truth of; raises InputError."""
    label = spec.read_label(values.pop(spec.target, None))
    if label is None:
        example = spec.labels[0] if spec.labels else None
        raise InputError(spec.target, "is missing; give what turned out to be true", example)
    request_id = _pop_request_id(spec, values)
    if spec.id and values.keys() & {spec.id, spec.row_id_column}:
        return ToldLabel(label, row_id=_read_row_id_alone(spec, values, request_id))
    if request_id is not None and not values:
        return ToldLabel(label, request_id=request_id)
    return ToldLabel(label, request_id=request_id, inputs=spec.read_inputs(values))


def _pop_request_id(spec: DatasetSpec, values: dict[str, Any]) -> str | None:
    """Take the id of a request out of an item; a field of that name is a field."""
    if REQUEST_ID in spec.request_names or REQUEST_ID not in values:
        return None
    return read_request_id(values.pop(REQUEST_ID))


def _read_row_id_alone(
    spec: DatasetSpec, values: dict[str, Any], request_id: str | None
) -> str | None:
    """Return the row id of an item that names nothing else; raises InputError."""
    others = [*values.keys() - {spec.id, spec.row_id_column}]
    if request_id is not None:
        others.append(REQUEST_ID)
    if others:
        raise InputError(
            min(others),
            f"cannot stand beside {spec.id}, which names the row; leave one of them out",
        )
    return spec.pick_row_id(values)
