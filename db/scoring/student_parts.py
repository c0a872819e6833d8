"""The parts of a student as plain data: weights of fields, and inputs of trees and of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, TypeAlias

import msgspec

from db.spec.dates.date_value import part_name

# A number takes one byte when stored and 32 in memory: without a limit few bytes could fill it.
Numbers: TypeAlias = Annotated[list[float], msgspec.Meta(max_length=10_000)]
Names: TypeAlias = Annotated[list[str], msgspec.Meta(max_length=1_000_000)]
Columns: TypeAlias = Annotated[list[int], msgspec.Meta(max_length=10_000)]

# The only feature of a missing text, choice or boolean. No other feature is empty.
MISSING = ""


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Weights of a text field's features: a row of int32 per feature, with a weight per class.

    Students of format 1 have it: their features are those of `text_features`, each counted once.
    """

    names: Names
    weights: bytes


class NormedTextPart(msgspec.Struct, frozen=True, tag="normed-text"):
    """Weights of a text field's features, whose sums are divided by a norm of the text.

    The features are those of `count_features`. A row has a weight per class, and one more: what the
    feature adds to the square of the norm. The divisor is the norm to the power of `power`.
    """

    names: Names
    weights: bytes
    power: float


class WordPart(msgspec.Struct, frozen=True, tag="word"):
    """Weights of a choice or boolean field's values, in the layout of TextPart."""

    names: Names
    weights: bytes


class NumberPart(msgspec.Struct, frozen=True, tag="number"):
    """Weights of a number: `slopes` for its standardised value, and a row for each bin.

    `missing` is the row of a missing number; it is empty if no number was missing in training.
    Students of format 1 have it.
    """

    mean: float
    scale: float
    low: float
    high: float
    edges: Numbers
    slopes: Numbers
    weights: bytes
    missing: bytes = b""


class PiecewisePart(msgspec.Struct, frozen=True, tag="piecewise"):
    """A function of a number that is linear between `edges`, for each class.

    `offsets` and `slopes` have a row of float64 for each piece, with one for each class; slopes are
    those of the standardised number. `missing` is the row of a missing number; it is empty if no
    number was missing in training.
    """

    mean: float
    scale: float
    low: float
    high: float
    edges: Numbers
    offsets: bytes
    slopes: bytes
    missing: Numbers = []


class DatePart(msgspec.Struct, frozen=True, tag="date"):
    """The parts of a date field by the name that `date_parts` gives them, such as weekday."""

    parts: dict[str, NumberPart | PiecewisePart | WordPart]


FlatPart: TypeAlias = TextPart | NormedTextPart | WordPart | NumberPart | PiecewisePart
Part: TypeAlias = FlatPart | DatePart


class NumberInput(msgspec.Struct, frozen=True, tag="number"):
    """A number that trees read, or a part of a date such as day.days; NaN if it is missing.

    `low` and `high` are the smallest and the largest in training.
    """

    name: str
    low: float
    high: float


class ChoiceInput(msgspec.Struct, frozen=True, tag="choice"):
    """A choice that trees read as the position of its value in `names` plus 1, or 0 for others.

    `rare` are values that occurred in training but have no code of their own: they read 0 as well.
    It is None if these are too many to be listed.
    """

    name: str
    names: Names
    rare: Names | None = []


class ScaledNumber(msgspec.Struct, frozen=True, tag="scaled"):
    """A number, read as its deviation from `mean` in units of `scale`; 0 if it is missing."""

    name: str
    mean: float
    scale: float


class PairsData(msgspec.Struct, frozen=True, kw_only=True):
    """Weights of the products of two atoms: a scaled number, or a value of a choice.

    `weights` is a symmetric matrix of float64, atoms by atoms, with one weight for each of the
    scores in `columns`. `means` are the mean scores of each field, which has half of its products.
    """

    columns: Columns
    inputs: list[ScaledNumber | ChoiceInput]
    weights: bytes
    means: dict[str, Numbers]


def flat_parts(parts: Mapping[str, Part]) -> Iterator[tuple[str, FlatPart]]:
    """Yield each part by its name; those of a date by names such as day.month."""
    for name, part in parts.items():
        if isinstance(part, DatePart):
            yield from ((part_name(name, inner), one) for inner, one in part.parts.items())
        else:
            yield name, part
