"""Predictions: the teacher's answers, stored ready to send."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.store import tables
from db.store.dialect import find_row, upsert


@dataclass(frozen=True)
class Prediction:
    """The teacher's prediction for one record, under a fingerprint.

    `body` is ready to send. `label` is empty for a regression; `score` is the label's probability,
    or the number.
    """

    key: bytes
    body: bytes
    fingerprint: str
    label: str
    score: float


def find_body(connection: Connection, dataset_id: int, key: bytes) -> bytes | None:
    """Return the body stored for a key."""
    row = find_row(
        connection,
        "SELECT body FROM prediction WHERE dataset_id = {} AND key = {}",
        (dataset_id, key),
    )
    return None if row is None else row[0]


def write_predictions(
    connection: Connection, dataset_id: int, predictions: Iterable[Prediction]
) -> None:
    """Write predictions over those of older fingerprints."""
    now = time.time()
    rows = [
        {
            "dataset_id": dataset_id,
            "key": made.key,
            "body": made.body,
            "fingerprint": made.fingerprint,
            "made_at": now,
        }
        for made in predictions
    ]
    upsert(connection, tables.prediction, rows, ("dataset_id", "key"))


def fingerprints_in_chunk(
    connection: Connection, dataset_id: int, chunk_id: int
) -> dict[bytes, str]:
    """Return the fingerprint of the prediction of each of a chunk's records that has one."""
    query = (
        select(tables.prediction.c.key, tables.prediction.c.fingerprint)
        .join(tables.record, tables.record.c.key == tables.prediction.c.key)
        .where(tables.prediction.c.dataset_id == dataset_id, tables.record.c.chunk_id == chunk_id)
    )
    return {row.key: row.fingerprint for row in connection.execute(query)}
