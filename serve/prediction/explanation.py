"""Explanations of predictions: what each value adds to the answer, ready to send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from db.scoring.explanation import Neighbour, Reason
from db.scoring.response_body import round_number
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs, Value

from .catalog import Served

LOG_ODDS = "log odds"
NEIGHBOURS = "neighbours"


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True):
    """What one value adds to an answer, or one word of a text.

    A reason with a word has no value: a long text would be repeated for each of its words.
    """

    field: str
    value: Value | msgspec.UnsetType = msgspec.UNSET
    word: str | msgspec.UnsetType = msgspec.UNSET
    amount: float


class ExplanationBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why the student answers as it does, as `GET /explain` sends it.

    `base`, the amounts of all reasons and `rest` add up to `total`. For a label that is the
    logarithm of its probability over that of `over`; for a number it is the number.
    """

    dataset: str
    model: str
    prediction: str | float
    source: Literal["teacher", "student"]
    over: str | msgspec.UnsetType = msgspec.UNSET
    unit: str
    base: float
    reasons: Sequence[ReasonBody]
    rest: float
    total: float
    neighbours: Sequence[Neighbour] | msgspec.UnsetType = msgspec.UNSET


def neighbours_enrichers(spec: DatasetSpec) -> list[str]:
    """Return the names of a dataset's enrichers that find neighbours."""
    return [name for name, wanted in spec.enrichers.items() if (wanted.use or name) == NEIGHBOURS]


def explain(
    served: Served,
    inputs: Inputs,
    neighbours: Sequence[Neighbour] | msgspec.UnsetType = msgspec.UNSET,
) -> ExplanationBody:
    """Return why the student of a dataset answers as it does; raises NoModelError."""
    student = served.require_student()
    why = student.explain(inputs)
    return ExplanationBody(
        dataset=served.name,
        model=served.model,
        prediction=why.prediction if student.labels else round_number(float(why.prediction)),
        source="teacher" if student.is_teacher else "student",
        over=msgspec.UNSET if why.over is None else why.over,
        unit=LOG_ODDS if student.labels else served.spec.target,
        base=round_number(why.base),
        reasons=[_reason_body(reason) for reason in why.reasons],
        rest=round_number(why.rest),
        total=round_number(why.total),
        neighbours=neighbours,
    )


def _reason_body(reason: Reason) -> ReasonBody:
    return ReasonBody(
        field=reason.field,
        value=reason.value if reason.word is None else msgspec.UNSET,
        word=msgspec.UNSET if reason.word is None else reason.word,
        amount=round_number(reason.amount),
    )
