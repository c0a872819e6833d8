"""Predictions: the teacher's answers, stored as complete response bodies."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Double, Integer, Text, bindparam, exists, select

from db.spec.record_key import KEY_BYTES
from db.store import tables
from db.store.json_rows import encode_rows, json_rows, part_of, upsert_from


class Prediction(NamedTuple):
    """The teacher's prediction for one record, with the fingerprint it was computed under.

    `body` is the response body. `label` is the predicted label, "" for a regression; `score` is
    its probability, or the predicted number.
    """

    key: bytes
    body: bytes
    fingerprint: str
    label: str
    score: float


def write_predictions(
    connection: Connection, dataset_id: int, predictions: Sequence[Prediction]
) -> None:
    """Write predictions of different keys; each replaces the one stored for its key."""
    if not predictions:
        return
    ends = itertools.accumulate(len(one.body) for one in predictions)
    rows = [
        (end - len(one.body), len(one.body), one.fingerprint)
        for one, end in zip(predictions, ends, strict=True)
    ]
    connection.execute(
        _upsert(connection.dialect.name),
        {
            "dataset": dataset_id,
            "now": time.time(),
            "rows": encode_rows(rows),
            "keys": b"".join([one.key for one in predictions]),
            "bodies": b"".join([one.body for one in predictions]),
        },
    )


@functools.cache
def _upsert(dialect: str) -> Any:  # noqa: ANN401
    new = json_rows(dialect, "rows", start=Integer, size=Integer, fingerprint=Text)
    table = tables.prediction
    rows = select(
        bindparam("dataset", type_=BigInteger).label("dataset_id"),
        part_of("keys", new.c.at * KEY_BYTES, KEY_BYTES).label("key"),
        part_of("bodies", new.c.start, new.c.size).label("body"),
        new.c.fingerprint,
        bindparam("now", type_=Double).label("made_at"),
    )
    return upsert_from(dialect, table, rows, (table.c.dataset_id, table.c.key))


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
