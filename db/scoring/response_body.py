"""The response body of a prediction, whether the teacher or the student made it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from db.spec.field import Inputs

from .student import Student

# Increase this when the body's format changes: it is part of the prediction's fingerprint.
BODY_FORMAT = 1
PROBABILITY_DIGITS = 6
NUMBER_DIGITS = 10


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction, as `GET /predict` sends it; a regression has no probabilities."""

    dataset: str
    prediction: str | float
    probabilities: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    source: Literal["teacher", "student"]
    model: str
    enrichment: Literal["done", "queued", "off"]
    warnings: Sequence[str] = ()


class _Label(msgspec.Struct, frozen=True):
    """The only member of the body that `decode_label` reads."""

    prediction: str | float


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode
_decode_label = msgspec.json.Decoder(_Label).decode


def encode_answer(answer: Answer) -> bytes:
    """Return the response body."""
    return _encode(answer)


def decode_answer(body: bytes) -> Answer:
    """Return the answer in a response body."""
    return _decode(body)


def decode_label(body: bytes) -> str | float:
    """Return only the prediction: a label, or the number of a regression.

    Takes 0.23 µs; decode_answer, which also builds the probabilities, takes 0.56 µs.
    """
    return _decode_label(body).prediction


def rank(labels: Sequence[str], probabilities: Sequence[float]) -> dict[str, float]:
    """Return rounded probabilities by label, the most likely first; ties in order of the label."""
    pairs = zip(labels, (round(float(p), PROBABILITY_DIGITS) for p in probabilities), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


def round_number(number: float) -> float:
    """Return a number rounded to NUMBER_DIGITS significant digits."""
    rounded = float(f"{number:.{NUMBER_DIGITS}g}")
    return rounded if math.isfinite(rounded) else number


def student_answer(
    dataset: str,
    model: str,
    student: Student,
    inputs: Inputs,
    enrichment: Literal["queued", "off"],
) -> Answer:
    """Return the student's answer for the inputs."""
    probabilities: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    prediction: str | float
    if student.labels:
        probabilities = rank(student.labels, student.probabilities(inputs))
        prediction = next(iter(probabilities))
    else:
        prediction = round_number(student.number(inputs))
    return Answer(
        dataset=dataset,
        prediction=prediction,
        probabilities=probabilities,
        source="student",
        model=model,
        enrichment=enrichment,
        warnings=student.warnings(inputs),
    )
