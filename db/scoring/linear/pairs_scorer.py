"""The scores of pairs of values: products of two numbers, or of a choice with another value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from db.scoring.features import word_feature
from db.scoring.packed_numbers import unpack_float64
from db.scoring.student_parts import PairsData, ScaledNumber
from db.spec.field import Value

from .piecewise_scorer import deviation_of

# An atom that a row has: its position, its value, and the name of its field.
Atom: TypeAlias = tuple[int, float, str]


class PairsScorer:
    """Adds the weight of each two atoms of a row, multiplied by their values.

    An atom is a standardized number, or a value of a choice, which counts 1 where it occurs.
    """

    def __init__(self, data: PairsData, width: int) -> None:
        self.means = data.means
        self._width = width
        self._columns = data.columns
        self._numbers: list[tuple[int, ScaledNumber]] = []
        self._choices: list[tuple[str, dict[str, int]]] = []
        size = 0
        for one in data.inputs:
            if isinstance(one, ScaledNumber):
                self._numbers.append((size, one))
                size += 1
            else:
                self._choices.append(
                    (one.name, {name: size + i for i, name in enumerate(one.names)})
                )
                size += len(one.names)
        self._rows = _by_column(data.weights, size, len(data.columns))

    def scores(self, values: Mapping[str, Value]) -> list[float]:
        """Return what all pairs add to the score of each class."""
        atoms = list(self._atoms(values))
        scores = [0.0] * self._width
        for column, rows in zip(self._columns, self._rows, strict=True):
            total = 0.0
            for first, (at, value, _) in enumerate(atoms):
                row = rows[at]
                total += value * sum([row[other] * size for other, size, _ in atoms[first:]])
            scores[column] = total
        return scores

    def amounts(self, values: Mapping[str, Value]) -> dict[str, list[float]]:
        """Return what each field adds to the scores: half of each of its pairs."""
        atoms = list(self._atoms(values))
        found = {name: [0.0] * self._width for name in self.means}
        for column, rows in zip(self._columns, self._rows, strict=True):
            for first, (at, value, name) in enumerate(atoms):
                for other, size, other_name in atoms[first:]:
                    half = value * rows[at][other] * size / 2
                    found[name][column] += half
                    found[other_name][column] += half
        return found

    def _atoms(self, values: Mapping[str, Value]) -> Iterator[Atom]:
        """Yield the atoms of a row in ascending order within each kind, numbers first."""
        for at, number in self._numbers:
            value = values[number.name]
            if value is not None:
                yield at, deviation_of(float(value), number.mean, number.scale), number.name
        for name, places in self._choices:
            place = places.get(word_feature(values[name]))
            if place is not None:
                yield place, 1.0, name


def _by_column(weights: bytes, size: int, columns: int) -> list[list[list[float]]]:
    """Return for each column the square matrix of the weights of two atoms, in both orders."""
    numbers = unpack_float64(weights)
    return [
        [
            [numbers[(row * size + other) * columns + column] for other in range(size)]
            for row in range(size)
        ]
        for column in range(columns)
    ]
