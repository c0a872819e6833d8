"""Answers that web processes have given, by the id of the request: a sample where there are many.

They say what was predicted, when and by which model, so that labels which come later can tell how
it turned out; see db.labels.truth. Only the key of the inputs is kept with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from db.store.direct.statement import Statement, StoreConnection

_write = Statement(
    "INSERT INTO {schema}served_answer (request_id, key, prediction, score, source, model_version,"
    " made_at, dataset_id) VALUES ({}, {}, {}, {}, {}, {}, {}, {})"
    " ON CONFLICT (request_id) DO NOTHING"
)


class ServedAnswer(NamedTuple):
    """An answer as it was sent; compact, since thousands may wait in memory.

    `prediction` is a label, or the number of a regression as text. `score` is the probability of
    the label, or the number.
    """

    request_id: str
    key: bytes
    prediction: str
    score: float | None
    source: str
    model_version: int
    made_at: float


def write_answers(
    connection: StoreConnection, dataset_id: int, answers: Iterable[ServedAnswer]
) -> None:
    """Keep answers of a dataset; of several with the same request id the first one stays.

    A client may choose the id, and must not change what another client has been told.
    """
    # All processes write in the order of ids, so that they cannot deadlock.
    _write.run_each(connection, [(*answer, dataset_id) for answer in sorted(answers)])
