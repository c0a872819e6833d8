"""The products of pairs of numbers and choices as columns of a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.scoring.student_data import ChoiceInput, PairsData, ScaledNumber

from .features import ChoiceFeatures, FieldFeatures, NumberFeatures, fit_scale, spread

Array: TypeAlias = npt.NDArray[Any]

# Products are tried with up to so many atoms, and so many cells of the matrix of products.
MOST_ATOMS = 60
MOST_CELLS = 4_000_000


class PairBlock:
    """One column for each two atoms: numbers, standardized, and values of choices, 0 or 1.

    A number also has its square. Two values of the same choice never occur together.
    """

    def __init__(self, features: Sequence[FieldFeatures], rows: Array, weights: Array) -> None:
        numbers = [one for one in features if isinstance(one, NumberFeatures)]
        choices = [one for one in features if isinstance(one, ChoiceFeatures)]
        self._fields: list[_Number | _Choice] = [
            *(_Number(one, rows, weights) for one in numbers),
            *(_Choice(one, rows) for one in choices),
        ]
        self._size = sum(one.size for one in self._fields)
        owner = np.repeat(np.arange(len(self._fields)), [one.size for one in self._fields])
        self._names = [self._fields[at].name for at in owner.tolist()]
        first, second = np.triu_indices(self._size)
        is_number = owner < len(numbers)
        kept = (owner[first] != owner[second]) | (is_number[first] & (first == second))
        self._pairs = first[kept], second[kept]
        spreads = [spread(column, weights) for column in self._products(rows).T]
        self.scales = 1 / np.array(spreads)

    def _products(self, rows: Array) -> Array:
        atoms = np.hstack([one.atoms(rows) for one in self._fields])
        products: Array = atoms[:, self._pairs[0]] * atoms[:, self._pairs[1]]
        return products

    def matrix(self, rows: Array) -> Array:
        """Return the columns of some rows, scaled."""
        scaled: Array = self._products(rows) * self.scales
        return scaled

    def data(self, weights: Array, means: Array) -> PairsData:
        """Return the weights as plain data; `weights` and `means` belong to unscaled columns."""
        columns = np.flatnonzero(np.abs(weights).any(axis=0)).tolist() or [0]
        square = np.zeros((self._size, self._size, len(columns)))
        first, second = self._pairs
        square[first, second] = square[second, first] = weights[:, columns]
        halves = means[:, None] * weights / 2
        mean_scores = {name: np.zeros(weights.shape[1]) for name in self._names}
        for one, other, half in zip(first, second, halves, strict=True):
            mean_scores[self._names[one]] += half
            mean_scores[self._names[other]] += half
        return PairsData(
            columns=columns,
            inputs=[one.input() for one in self._fields],
            weights=square.astype("<f8").tobytes(),
            means={name: scores.tolist() for name, scores in mean_scores.items()},
        )


class _Number:
    def __init__(self, source: NumberFeatures, rows: Array, weights: Array) -> None:
        self._source, self.name, self.size = source, source.name, 1
        self._scale = fit_scale(source.numbers[rows], weights)

    def atoms(self, rows: Array) -> Array:
        deviations = np.nan_to_num(self._scale.deviations(self._source.numbers[rows]))
        column: Array = deviations.reshape(-1, 1)
        return column

    def input(self) -> ScaledNumber:
        return ScaledNumber(self.name, self._scale.mean, self._scale.spread)


class _Choice:
    def __init__(self, source: ChoiceFeatures, rows: Array) -> None:
        self._source, self.name = source, source.name
        self._known = np.unique(source.codes[rows])
        self.size = len(self._known)

    def atoms(self, rows: Array) -> Array:
        atoms: Array = (self._source.codes[rows][:, None] == self._known).astype(float)
        return atoms

    def input(self) -> ChoiceInput:
        return ChoiceInput(self.name, [self._source.names[code] for code in self._known.tolist()])


def can_pair(features: Sequence[FieldFeatures], records: int) -> bool:
    """Return whether products of pairs are few enough; texts have too many atoms."""
    atoms = 0
    for one in features:
        if not isinstance(one, NumberFeatures | ChoiceFeatures):
            return False
        atoms += len(one.names) if isinstance(one, ChoiceFeatures) else 1
    return len(features) > 1 and atoms <= MOST_ATOMS and records * atoms**2 / 2 <= MOST_CELLS
