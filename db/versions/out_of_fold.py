"""Stored out-of-fold answers, read by the standard library alone.

Training writes them; see enrich.learning.quality.out_of_fold, which has the same fields.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from db.scoring.packed_items import has_more_items
from db.spec.record_key import KEY_BYTES

ModelKind: TypeAlias = Literal["teacher", "student"]

# A label or a field is an item; more would take more memory than the answers themselves.
MOST_ITEMS = 100_000


class _Stored(msgspec.Struct, frozen=True):
    labels: list[str]
    keys: bytes
    teacher: bytes
    student: bytes


@dataclass(frozen=True)
class AnswerRows:
    """The answers of one model: for each key a row of probabilities, or of one number."""

    labels: list[str]
    numbers: array[float]

    def row(self, place: int) -> array[float]:
        """Return the probabilities of the labels, or the one number, at a place."""
        width = len(self.labels) or 1
        return self.numbers[place * width : (place + 1) * width]

    def answer(self, place: int) -> tuple[str, float]:
        """Return the answered label with its probability; for a regression "" and the number."""
        row = self.row(place)
        if not self.labels:
            return "", row[0]
        most = max(row)
        return self.labels[row.index(most)], most


@dataclass(frozen=True)
class OutOfFoldAnswers:
    """Answers of teacher and student, each from a model that was not trained on that record.

    A regression has no labels.
    """

    labels: list[str]
    keys: list[bytes]
    teacher: AnswerRows
    student: AnswerRows

    def rows(self, model: ModelKind) -> AnswerRows:
        """Return the answers of teacher or student."""
        return self.teacher if model == "teacher" else self.student


def decode_answers(stored: bytes | None, most_bytes: int = 0) -> OutOfFoldAnswers | None:
    """Return stored answers; None if there are none, they are damaged, or take too many bytes.

    `most_bytes` limits their size when unpacked; 0 is no limit.
    """
    if not stored:
        return None
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(stored, most_bytes)
        if not unpacker.eof or has_more_items(data, MOST_ITEMS):
            return None
        return _unpack(msgspec.msgpack.decode(data, type=_Stored))
    except (zlib.error, msgspec.MsgspecError):
        return None


def _unpack(stored: _Stored) -> OutOfFoldAnswers | None:
    keys = stored.keys
    count, rest = divmod(len(keys), KEY_BYTES)
    row_bytes = 4 * len(stored.labels) or 8
    if rest or {len(stored.teacher), len(stored.student)} != {count * row_bytes}:
        return None
    teacher, student = (
        AnswerRows(stored.labels, _numbers(packed, is_single=bool(stored.labels)))
        for packed in (stored.teacher, stored.student)
    )
    split = [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]
    return OutOfFoldAnswers(stored.labels, split, teacher, student)


def _numbers(packed: bytes, *, is_single: bool) -> array[float]:
    """Return little-endian float32 or float64 numbers."""
    numbers = array("f" if is_single else "d", packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
