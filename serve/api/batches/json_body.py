"""Predictions for an array of inputs in JSON, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from db.errors import InputError, VeilleuseError
from serve.api.problem import problem_of
from serve.api.query import read_item
from serve.prediction.batch import BatchAnswer, BatchPredictor
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

_encode = msgspec.json.Encoder().encode


def answer_array(
    items: Sequence[msgspec.Raw],
    service: PredictionService,
    served: Served,
    client: str,
    request_id: str,
) -> bytes:
    """Return the answers to the items of an array as an array; a bad item gets its own problem.

    Raises NoModelError or StoreUnreachable.
    """
    batch = BatchPredictor(service, served)
    answers = batch.answer(list(map(_read, items)), client)
    batch.record(answers, request_id)
    return b"[" + b",".join(map(_body_of, answers)) + b"]"


def _read(item: msgspec.Raw) -> dict[str, object] | InputError:
    try:
        return read_item(item)
    except InputError as error:
        return error


def _body_of(answer: BatchAnswer | VeilleuseError) -> bytes:
    return answer.body if isinstance(answer, BatchAnswer) else _encode(problem_of(answer))
