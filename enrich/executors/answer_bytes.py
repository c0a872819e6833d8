"""Answers of another machine as bytes: data alone, each part checked, and no code."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from db.errors import EnricherError
from db.scoring.packed_numbers import Vector
from enrich.enrichers.value import to_value

from .base import RecipeError
from .child import Answer, Fault
from .recipe import PredictedRow


class _Json(msgspec.Struct, tag="json"):
    text: bytes


class _Vector(msgspec.Struct, tag="vector"):
    numbers: bytes


class _Row(msgspec.Struct, tag="row"):
    body: bytes
    label: str
    score: float


class _Answer(msgspec.Struct):
    values: list[_Json | _Vector | _Row]
    fault: Fault | None
    error: str
    seconds: float


_DECODER = msgspec.msgpack.Decoder(_Answer)


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as bytes."""
    values = [_pack(value) for value in answer.values]
    return msgspec.msgpack.encode(_Answer(values, answer.fault, answer.error, answer.seconds))


def _pack(value: Any) -> _Json | _Vector | _Row:  # noqa: ANN401
    if isinstance(value, PredictedRow):
        return _Row(*value)
    if isinstance(value, Vector):
        return _Vector(value.data)
    return _Json(msgspec.json.encode(value))


def decode_answer(data: object, rows: int) -> Answer:
    """Return the answer in bytes, which is for that many rows; raises RecipeError."""
    try:
        return _read(data, rows)
    except (TypeError, ValueError, RecursionError, EnricherError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise RecipeError(f"the cluster sent an answer that cannot be read: {reason}") from None


def _read(data: object, rows: int) -> Answer:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError("it is not bytes")
    packed = _DECODER.decode(data)
    values = [_unpack(value) for value in packed.values]
    if not packed.fault and len(values) != rows:
        raise ValueError(f"it has {len(values)} values for {rows} rows")
    return Answer(values, packed.fault, packed.error, packed.seconds)


def _unpack(value: _Json | _Vector | _Row) -> Any:  # noqa: ANN401
    if isinstance(value, _Json):
        return to_value(msgspec.json.decode(value.text))
    if isinstance(value, _Vector):
        vector = Vector(value.numbers)
        if not all(map(math.isfinite, vector.numbers())):
            raise ValueError("a vector has a number that is not finite")
        return vector
    msgspec.json.decode(value.body)
    if not math.isfinite(value.score):
        raise ValueError("a score is not finite")
    return PredictedRow(value.body, value.label, value.score)
