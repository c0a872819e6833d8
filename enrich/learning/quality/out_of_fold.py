"""Out-of-fold answers: of teacher and student, on records that they were not trained on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from db.spec.record_key import KEY_BYTES

from .calibration import log_losses
from .metrics import positions_of

Array: TypeAlias = npt.NDArray[Any]
ModelKind: TypeAlias = Literal["teacher", "student"]


class OutOfFold(msgspec.Struct, frozen=True, kw_only=True):
    """Answers by key, each from a model that was not trained on that record.

    `keys` are KEY_BYTES each, in order. `teacher` and `student` hold one row per key: a probability
    for each label as float32, or one number as float64 if `labels` is empty. Stored with the model,
    so that the next version can be compared with it on the same records.
    """

    labels: list[str]
    keys: bytes
    teacher: bytes
    student: bytes

    def split_keys(self) -> list[bytes]:
        """Return the keys."""
        return [self.keys[at : at + KEY_BYTES] for at in range(0, len(self.keys), KEY_BYTES)]

    def rows(self, model: ModelKind) -> Array:
        """Return for each key a row of probabilities or of one number."""
        rows = np.frombuffer(getattr(self, model), number_type(self.labels))
        return rows.reshape(-1, max(len(self.labels), 1))

    def answers(self, model: ModelKind) -> dict[bytes, Any]:
        """Return the predicted label or number by key."""
        return dict(zip(self.split_keys(), self.named(self.rows(model)).tolist(), strict=True))

    def named(self, rows: Array) -> Array:
        """Return the label or number that each row of probabilities or numbers answers."""
        if not self.labels:
            return rows[:, 0]
        named: Array = np.array(self.labels)[rows.argmax(axis=1)]
        return named


def pack_answers(
    labels: list[str], keys: Sequence[bytes], teacher: Array, student: Array
) -> OutOfFold:
    """Return answers, one row for each key, in the form in which they are stored."""
    return OutOfFold(
        labels=labels,
        keys=b"".join(keys),
        teacher=teacher.astype(number_type(labels)).tobytes(),
        student=student.astype(number_type(labels)).tobytes(),
    )


def number_type(labels: Sequence[str]) -> str:
    """Return the NumPy type of stored answers: a number is kept with every digit."""
    return "<f4" if labels else "<f8"


def encode_out_of_fold(answers: OutOfFold) -> bytes:
    """Return the answers as the store keeps them: compressed MessagePack."""
    return zlib.compress(msgspec.msgpack.encode(answers))


def decode_out_of_fold(stored: bytes) -> OutOfFold:
    """Return the answers that `encode_out_of_fold` encoded."""
    return msgspec.msgpack.decode(zlib.decompress(stored), type=OutOfFold)


def losses_of(rows: Array, truth: Array, labels: Sequence[str]) -> Array:
    """Return the loss of each answer: minus the log of its label's probability, or squared error.

    `rows` has one row of probabilities or of one number for each label or number in `truth`.
    """
    if labels:
        return log_losses(rows, positions_of(truth, labels))
    errors: Array = (rows[:, 0] - truth) ** 2
    return errors
