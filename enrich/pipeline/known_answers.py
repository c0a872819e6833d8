"""The known answers of a model: those of its training, or else its stored predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from db.records.dataset import Dataset
from db.records.encoded_inputs import decode_inputs
from db.records.enrichment import read_value
from db.records.models.model_versions import read_known_answers
from db.records.models.trained_model import Model, model_name
from db.scoring.response_body import Answer, decode_answer
from db.store import tables
from enrich.executors.teacher_check import KNOWN

MOST_ROWS = 64
# Of the stored predictions, some are of other versions of the model.
MOST_PREDICTIONS = 512


@dataclass(frozen=True)
class _Asked:
    """A record that was answered: what it should get, and when it got it, None at training."""

    answer: Sequence[float]
    made_at: float | None


def known_rows(
    connection: Connection, dataset: Dataset, model: Model, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what the teacher read of some records, each with the answer that it gave as KNOWN.

    Records that are gone, or whose enrichments have changed since, are left out.
    """
    stored = read_known_answers(connection, model)
    if stored is not None:
        asked = {key: _Asked(row, None) for key, row in zip(stored.keys, stored.rows, strict=False)}
        rows = _read_rows(connection, dataset.id, model, asked)
        if rows:
            return rows
    predicted = _predictions(connection, dataset, model, labels)
    return _read_rows(connection, dataset.id, model, predicted)


def _predictions(
    connection: Connection, dataset: Dataset, model: Model, labels: Sequence[str]
) -> dict[bytes, _Asked]:
    prediction, name = tables.prediction.c, model_name(dataset, model.version)
    query = select(prediction.key, prediction.body, prediction.made_at)
    query = query.where(prediction.dataset_id == dataset.id).order_by(prediction.key)
    found = {}
    for row in connection.execute(query.limit(MOST_PREDICTIONS)):
        try:
            answer = decode_answer(row.body)
        except msgspec.DecodeError:
            continue
        numbers = _numbers(answer, labels)
        if answer.model == name and answer.source == "teacher" and numbers is not None:
            found[row.key] = _Asked(numbers, row.made_at)
    return found


def _numbers(answer: Answer, labels: Sequence[str]) -> list[float] | None:
    """Return an answer as the teacher gave it, None if its labels are others."""
    if not labels:
        return [answer.prediction] if isinstance(answer.prediction, float) else None
    if not isinstance(answer.probabilities, dict) or answer.probabilities.keys() != set(labels):
        return None
    return [answer.probabilities[label] for label in labels]


def _read_rows(
    connection: Connection, dataset_id: int, model: Model, asked: Mapping[bytes, _Asked]
) -> list[dict[str, Any]]:
    record = tables.record.c
    query = select(record.id, record.key, record.inputs).where(
        record.dataset_id == dataset_id, record.key.in_(list(asked))
    )
    rows: list[dict[str, Any]] = []
    for one in connection.execute(query).all():
        if len(rows) == MOST_ROWS:
            break
        values = _enrichments(connection, one.id, model, asked[one.key].made_at)
        if values is not None:
            known = list(asked[one.key].answer)
            rows.append({**decode_inputs(one.inputs), **values, KNOWN: known})
    return rows


def _enrichments(
    connection: Connection, record_id: int, model: Model, made_at: float | None
) -> dict[str, Any] | None:
    """Return the values that the teacher read of a record, None if they are not there any more."""
    columns = tables.enrichment.c
    query = select(tables.enrichment).where(
        columns.record_id == record_id, columns.enricher.in_(list(model.reads))
    )
    values = {}
    for row in connection.execute(query):
        is_same = (
            row.fingerprint == model.reads[row.enricher]
            if made_at is None
            else (row.made_at or 0.0) <= made_at
        )
        if is_same:
            values[row.enricher] = read_value(row.value, row.vector)
    return values if values.keys() == model.reads.keys() else None
