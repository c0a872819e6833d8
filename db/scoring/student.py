"""The student: a sparse linear model that needs only the standard library for scoring."""

from __future__ import annotations

import hashlib
import math
import sys
import zlib
from array import array
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import TypeAlias

import msgspec

from db.errors import ArtifactError
from db.spec.date_value import TIME_WORDS
from db.spec.field import Inputs, Value

from .features import (
    bin_of,
    date_of_days,
    features_of_word,
    pairs_of,
    part_name,
    split_words,
    with_date_parts,
)

FORMAT = 1
# Weights are whole multiples of 2**-shift that fit in 32 bits. A lane can hold the sum of 2**16.
LANE_BITS = 48
WEIGHT_BITS = 31
MAX_DEVIATION = 1e6
# Requests repeat few words; cutting words into n-grams took half of the time of an answer.
CACHED_WORDS = 1024
# The only feature of a missing text, choice or boolean. No other feature is empty.
MISSING = ""
# The part of a date that says how late it is.
DAYS = "days"

Scores: TypeAlias = list[float]


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Weights of a text field's features: a row of int32 per feature, with a weight per class."""

    names: list[str]
    weights: bytes


class WordPart(msgspec.Struct, frozen=True, tag="word"):
    """Weights of a choice or boolean field's values, in the layout of TextPart."""

    names: list[str]
    weights: bytes


class NumberPart(msgspec.Struct, frozen=True, tag="number"):
    """Weights of a number: `slopes` for its standardised value, and a row for each bin.

    `missing` is the row of a missing number; it is empty if no number was missing in training.
    """

    mean: float
    scale: float
    low: float
    high: float
    edges: list[float]
    slopes: list[float]
    weights: bytes
    missing: bytes = b""


class DatePart(msgspec.Struct, frozen=True, tag="date"):
    """The parts of a date field by the name that `date_parts` gives them, such as weekday."""

    parts: dict[str, NumberPart | WordPart]


Part: TypeAlias = TextPart | WordPart | NumberPart | DatePart


class StudentData(msgspec.Struct, frozen=True, kw_only=True):
    """A student as plain data.

    A classification has one score per label. A regression has one score: the target in standard
    deviations from its mean; neither teacher nor student answers below `lowest`.
    """

    format: int = FORMAT
    labels: list[str]
    bias: list[float]
    shift: int
    parts: dict[str, Part]
    target_mean: float = 0.0
    target_scale: float = 1.0
    lowest: float | None = None


def encode_student(data: StudentData) -> tuple[bytes, str]:
    """Return the student as bytes, and their SHA-256."""
    packed = zlib.compress(msgspec.msgpack.encode(data), 9)
    return packed, hashlib.sha256(packed).hexdigest()


def decode_student(packed: bytes, sha256: str) -> StudentData:
    """Return the student from the bytes of `encode_student`; raises ArtifactError."""
    if hashlib.sha256(packed).hexdigest() != sha256:
        raise ArtifactError(
            "the student's bytes do not match their SHA-256; train a new model, or activate another"
        )
    try:
        data = msgspec.msgpack.decode(zlib.decompress(packed), type=StudentData)
    except (zlib.error, msgspec.DecodeError) as error:
        raise ArtifactError(f"the student cannot be read: {error}") from error
    if data.format != FORMAT:
        raise ArtifactError(
            f"the student has format {data.format}, but this code reads format {FORMAT};"
            " train a new model"
        )
    return data


class Student:
    """Scores inputs for which the teacher's prediction is not stored yet.

    The weights of a feature are lanes of one integer, a lane per class, so that adding integers
    adds the scores of all classes. This takes half the time and a quarter of the memory of tuples.
    """

    def __init__(self, data: StudentData) -> None:
        self.labels = data.labels
        # The smallest number that teacher and student may answer.
        self.lowest = -math.inf if data.lowest is None else data.lowest
        self._width = len(data.bias)
        self._bias = data.bias
        self._unit = 2.0**-data.shift
        self._target = data.target_mean, data.target_scale
        self._dates = {
            name: bool(part.parts.keys() & set(TIME_WORDS))
            for name, part in data.parts.items()
            if isinstance(part, DatePart)
        }
        parts = dict(_flat_parts(data.parts))
        self._lanes = {
            name: dict(zip(part.names, self._pack(part.weights), strict=True))
            for name, part in parts.items()
            if not isinstance(part, NumberPart)
        }
        self._words = {
            name: lru_cache(CACHED_WORDS)(partial(_lanes_of_word, self._lanes[name]))
            for name, part in parts.items()
            if isinstance(part, TextPart)
        }
        self._numbers = {
            name: (part, self._pack(part.weights), sum(self._pack(part.missing)))
            for name, part in parts.items()
            if isinstance(part, NumberPart)
        }
        self._offset = sum(1 << (LANE_BITS * (lane + 1) - 1) for lane in range(self._width))

    def _pack(self, weights: bytes) -> list[int]:
        return _pack_rows(weights, self._width)

    def probabilities(self, inputs: Inputs) -> list[float]:
        """Return the probability of each label."""
        return softmax(self._scores(inputs))

    def number(self, inputs: Inputs) -> float:
        """Return the predicted number."""
        mean, scale = self._target
        return max(mean + scale * self._scores(inputs)[0], self.lowest)

    def warnings(self, inputs: Mapping[str, Value]) -> list[str]:
        """Return a warning for each value unlike those of training.

        That is a number or a date outside the range, and a choice that did not occur.
        """
        values = with_date_parts(inputs, self._dates)
        numbers = (
            _range_warning(name, inputs, float(values[name]), part)  # type: ignore[arg-type]
            for name, (part, _, _) in self._numbers.items()
            if values[name] is not None and not part.low <= values[name] <= part.high  # type: ignore[operator]
        )
        choices = (
            f"{name}: {inputs[name]!r} was not seen in training"
            for name, lanes in self._lanes.items()
            if name in inputs
            and name not in self._words
            # A boolean is no text, and a missing value needs no warning.
            and isinstance(inputs[name], str)
            and inputs[name] not in lanes
        )
        return [*filter(None, numbers), *choices]

    def _scores(self, inputs: Mapping[str, Value]) -> Scores:
        values = with_date_parts(inputs, self._dates)
        total = self._offset
        for name, lanes in self._lanes.items():
            if name in self._words:
                total += self._sum_text(name, values[name])
            else:
                total += lanes.get(word_feature(values[name]), 0)
        scores = list(self._bias)
        for name, (part, rows, missing) in self._numbers.items():
            value = values[name]
            if value is None:
                total += missing
                continue
            number = float(value)
            total += rows[bin_of(number, part.edges)]
            # Farther out the linear term is meaningless, and it must not overflow.
            deviation = max(-MAX_DEVIATION, min((number - part.mean) / part.scale, MAX_DEVIATION))
            scores = [
                score + slope * deviation for score, slope in zip(scores, part.slopes, strict=True)
            ]
        return [
            score + lane * self._unit
            for score, lane in zip(scores, self._unpack(total), strict=True)
        ]

    def _sum_text(self, name: str, text: Value) -> int:
        """Return the sum of the lanes of a text's features, each added once."""
        lanes, lanes_of_word = self._lanes[name], self._words[name]
        if text is None:
            return lanes.get(MISSING, 0)
        words = split_words(str(text))
        weights: dict[str, int] = {}
        for word in words:
            weights.update(lanes_of_word(word))
        for pair in pairs_of(words):
            if pair in lanes:
                weights[pair] = lanes[pair]
        return sum(weights.values())

    def _unpack(self, total: int) -> Iterator[int]:
        middle, mask = 1 << (LANE_BITS - 1), (1 << LANE_BITS) - 1
        for lane in range(self._width):
            yield ((total >> (LANE_BITS * lane)) & mask) - middle


def word_feature(value: Value) -> str:
    """Return the single feature of a choice or boolean field's value."""
    return MISSING if value is None else str(value)


def _flat_parts(
    parts: Mapping[str, Part],
) -> Iterator[tuple[str, TextPart | WordPart | NumberPart]]:
    for name, part in parts.items():
        if isinstance(part, DatePart):
            yield from ((part_name(name, inner), one) for inner, one in part.parts.items())
        else:
            yield name, part


def _range_warning(name: str, inputs: Mapping[str, Value], value: float, part: NumberPart) -> str:
    """Return the warning for a number outside the range; of a date, only its days give one."""
    field, _, inner = name.partition(".")
    if inner not in {"", DAYS}:
        return ""
    is_below = value < part.low
    limit = part.low if is_below else part.high
    shown = date_of_days(limit) if inner else _plain(limit)
    side, extreme = ("below", "smallest") if is_below else ("above", "largest")
    return f"{field}: {inputs[field]} is {side} {shown}, the {extreme} seen in training"


def _lanes_of_word(lanes: Mapping[str, int], word: str) -> dict[str, int]:
    return {feature: lanes[feature] for feature in features_of_word(word) if feature in lanes}


def softmax(scores: Scores) -> list[float]:
    """Return probabilities that sum to 1."""
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def _pack_rows(weights: bytes, width: int) -> list[int]:
    numbers = array("i", weights)
    if sys.byteorder == "big":
        numbers.byteswap()
    return [
        sum(numbers[start + lane] << (LANE_BITS * lane) for lane in range(width))
        for start in range(0, len(numbers), width)
    ]


def _plain(number: float) -> str:
    return f"{number:.15g}"
