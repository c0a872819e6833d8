"""Explanations: what each input adds to an answer, and what it takes from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from db.spec.field import Value

from .linear.linear_scorer import Contribution

MOST_REASONS = 10


class Reason(NamedTuple):
    """What one input, or one word of a text, adds to an answer, in the unit of the explanation."""

    field: str
    value: Value
    word: str | None
    amount: float


class Explanation(NamedTuple):
    """Why an answer is as it is: `base`, the amounts of all reasons and `rest` add up to `total`.

    For a number the unit is that of the target: `total` is the answer. For a label the unit is the
    logarithm of odds: `total` is that of the probability of the answer over the probability of
    `over`, the label that is the most likely one otherwise. `base` is that of an average row.
    """

    prediction: str | float
    over: str | None
    base: float
    reasons: list[Reason]
    rest: float
    total: float


def pick(amounts: Sequence[float], order: Sequence[int]) -> float:
    """Return the amount of the first score, less that of the second if there are two."""
    return amounts[order[0]] - (amounts[order[1]] if len(order) > 1 else 0.0)


def merge_reasons(
    contributions: Iterable[Contribution],
    order: Sequence[int],
    inputs: Mapping[str, Value],
    scale: float,
) -> list[Reason]:
    """Return the reasons, the strongest first; what the parts of a date add is one reason.

    `scale` turns scores into the unit of the explanation.
    """
    amounts: dict[tuple[str, str | None], float] = {}
    for name, word, of_classes in contributions:
        key = name.partition(".")[0], word
        amounts[key] = amounts.get(key, 0.0) + scale * pick(of_classes, order)
    reasons = [
        Reason(field, inputs[field], word, amount) for (field, word), amount in amounts.items()
    ]
    return sorted(reasons, key=lambda reason: -abs(reason.amount))


class Neighbour(msgspec.Struct, frozen=True):
    """A labelled record that is similar to another; its label is that at the time of analysis."""

    key: str
    label: str
    similarity: float
