"""Predictions: the teacher's answers, stored as complete response bodies."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from db.store import tables
from db.store.dialect import find_row, upsert


@dataclass(frozen=True)
class Prediction:
    """The teacher's prediction for one record, with the fingerprint it was computed under.

    `body` is the response body. `label` is the predicted label, "" for a regression; `score` is
    its probability, or the predicted number.
    """

    key: bytes
    body: bytes
    fingerprint: str
    label: str
    score: float


def find_body(connection: Connection, dataset_id: int, key: bytes) -> bytes | None:
    """Return the stored response body for a key, None if there is none."""
    row = find_row(
        connection,
        "SELECT body FROM {schema}prediction WHERE dataset_id = {} AND key = {}",
        (dataset_id, key),
    )
    return None if row is None else row[0]


def write_predictions(
    connection: Connection, dataset_id: int, predictions: Iterable[Prediction]
) -> None:
    """Write predictions; each replaces the prediction stored for its key."""
    now = time.time()
    rows = [
        {
            "dataset_id": dataset_id,
            "key": prediction.key,
            "body": prediction.body,
            "fingerprint": prediction.fingerprint,
            "made_at": now,
        }
        for prediction in predictions
    ]
    upsert(connection, tables.prediction, rows, ("dataset_id", "key"))


def has_predictions(connection: Connection, dataset_id: int, fingerprint: str) -> bool:
    """Return whether a dataset has a stored prediction with this fingerprint."""
    found = exists().where(
        tables.prediction.c.dataset_id == dataset_id, tables.prediction.c.fingerprint == fingerprint
    )
    return bool(connection.execute(select(found)).scalar_one())


def fingerprints_in_chunk(
    connection: Connection, dataset_id: int, chunk_id: int
) -> dict[bytes, str]:
    """Return the fingerprints of the stored predictions of a chunk's records, by key."""
    query = (
        select(tables.prediction.c.key, tables.prediction.c.fingerprint)
        .join(tables.record, tables.record.c.key == tables.prediction.c.key)
        .where(tables.prediction.c.dataset_id == dataset_id, tables.record.c.chunk_id == chunk_id)
    )
    return {row.key: row.fingerprint for row in connection.execute(query)}
