"""What the model says about a record that a person is asked to label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.records.record_detail import RecordDetail
from db.scoring.response_body import Answer, decode_answer, student_answer
from serve.prediction.catalog import Served


@dataclass(frozen=True)
class ModelAnswer:
    """The label or number that a model answers; `shares` has the probabilities, likeliest first.

    A held-out answer comes from a model that was trained without the record's label.
    """

    prediction: str | float
    model: str
    shares: Mapping[str, float] = field(default_factory=dict)
    interval: tuple[float, float] | None = None
    is_held_out: bool = False


def answer_for(served: Served, record: RecordDetail) -> ModelAnswer | None:
    """Return the held-out answer, else the teacher's, else the student's; None without a model."""
    if record.held_out and record.score is not None:
        shares = {record.answer: record.score} if record.answer else {}
        return ModelAnswer(record.answer or record.score, "", shares, is_held_out=True)
    if record.prediction is not None:
        return _from_answer(decode_answer(record.prediction))
    if served.student is None:
        return None
    answer = student_answer(served.name, served.model, served.student, record.inputs, "off")
    return _from_answer(answer)


def _from_answer(answer: Answer) -> ModelAnswer:
    shares, interval = answer.probabilities, answer.interval
    return ModelAnswer(
        answer.prediction,
        answer.model,
        shares if isinstance(shares, dict) else {},
        interval if isinstance(interval, tuple) else None,
    )
