"""The scores of a number: a function for each class that is linear between edges."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from db.scoring.packed_numbers import unpack_float64
from db.scoring.student_parts import PiecewisePart
from db.spec.field import Value

# Farther out the linear term is meaningless, and it must not overflow.
MAX_DEVIATION = 1e6

# Offset and slope for each class.
Piece: TypeAlias = list[tuple[float, float]]


class PiecewiseScorer:
    """Finds the piece that a number falls in, and adds its slope to its offset."""

    def __init__(self, part: PiecewisePart, width: int) -> None:
        self.edges = part.edges
        self.mean, self.scale = part.mean, part.scale
        offsets, slopes = unpack_float64(part.offsets), unpack_float64(part.slopes)
        self.pieces: list[Piece] = [
            list(zip(offsets[start : start + width], slopes[start : start + width], strict=True))
            for start in range(0, len(offsets), width)
        ]
        self.missing = part.missing or [0.0] * width

    def scores(self, value: Value) -> list[float]:
        """Return what a number adds to the score of each class."""
        if value is None:
            return self.missing
        deviation = deviation_of(float(value), self.mean, self.scale)
        piece = self.pieces[bisect_right(self.edges, float(value))]
        return [offset + slope * deviation for offset, slope in piece]


class PiecewiseSum:
    """The sum of all numbers of a row, for each class; it takes a third of the time of each alone.

    Classes to whose scores no number adds anything are left out, as the first of two is.
    """

    def __init__(self, scorers: Mapping[str, PiecewiseScorer], width: int) -> None:
        self._columns = [
            (column, [_Term.of(name, one, column) for name, one in scorers.items()])
            for column in range(width)
            if any(_adds(one, column) for one in scorers.values())
        ]

    def scores(self, values: Mapping[str, Value], scores: list[float]) -> list[float]:
        """Return the scores with what the numbers add to them."""
        added = list(scores)
        for column, terms in self._columns:
            total = 0.0
            for name, edges, pieces, mean, scale, missing in terms:
                value = values[name]
                if value is None:
                    total += missing
                    continue
                deviation = (value - mean) / scale  # type: ignore[operator]
                if not -MAX_DEVIATION <= deviation <= MAX_DEVIATION:
                    deviation = deviation_of(float(value), mean, scale)
                offset, slope = pieces[bisect_right(edges, value)]
                total += offset + slope * deviation
            added[column] += total
        return added


class _Term(NamedTuple):
    """What one number adds to one class."""

    name: str
    edges: list[float]
    pieces: list[tuple[float, float]]
    mean: float
    scale: float
    missing: float

    @classmethod
    def of(cls, name: str, scorer: PiecewiseScorer, column: int) -> _Term:
        pieces = [piece[column] for piece in scorer.pieces]
        missing = scorer.missing[column]
        return cls(name, scorer.edges, pieces, scorer.mean, scorer.scale, missing)


def _adds(scorer: PiecewiseScorer, column: int) -> bool:
    return bool(scorer.missing[column]) or any(any(piece[column]) for piece in scorer.pieces)


def deviation_of(number: float, mean: float, scale: float) -> float:
    """Return by how many units of `scale` a number differs from `mean`, within limits."""
    return max(-MAX_DEVIATION, min((number - mean) / scale, MAX_DEVIATION))
