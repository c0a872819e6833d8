"""The features of a linear model as a matrix, and its fitted weights as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from db.scoring.linear.lanes import WEIGHT_BITS
from db.scoring.student_data import (
    DatePart,
    LinearData,
    PairsData,
    Part,
    PiecewisePart,
    WordPart,
)

from .features import ChoiceFeatures, FieldFeatures, NumberFeatures, TextFeatures, fit_scale
from .pair_block import PairBlock
from .text_block import TextBlock, most_features, pack_weights

Array: TypeAlias = npt.NDArray[Any]
# What a linear model has of numbers and choices: the values, functions that bend, or products.
Terms: TypeAlias = Literal["linear", "piecewise-linear", "pairs"]

# A function of a number changes its slope at so many quantiles of that number.
KNOTS = 7
LEAST_DISTANCE = 1e-6


class _ChoiceBlock:
    """The columns of a choice or boolean: one for each value, also for a missing one.

    A value that occurs in one row keeps its column: the weights are shrunk, and its name says that
    it was seen.
    """

    def __init__(self, source: ChoiceFeatures, rows: Array) -> None:
        self.source = source
        self._known = np.unique(source.codes[rows])
        self._column = np.full(len(source.names), -1)
        self._column[self._known] = np.arange(len(self._known))
        self.scales = np.ones(len(self._known))

    def matrix(self, rows: Array) -> sparse.csr_array:
        """Return the columns of some rows."""
        return one_hot(self._column[self.source.codes[rows]], len(self._known))

    def part(self, weights: Array, shift: int) -> Part:
        """Return the student's part; `weights` are columns by classes."""
        names = [self.source.names[code] for code in self._known.tolist()]
        return WordPart(names, pack_weights(weights, shift))


class _NumberBlock:
    """The columns of a number: its standardized value, and one for each knot if there are knots.

    The columns of knots interpolate between the two knots next to a number, so that a fitted
    function is linear between knots and bends there. If some numbers are missing there is a column
    for that too.
    """

    def __init__(
        self, source: NumberFeatures, rows: Array, weights: Array, *, with_knots: bool
    ) -> None:
        self.source = source
        numbers = source.numbers[rows]
        known = ~np.isnan(numbers)
        self._has_missing = not known.all()
        self._scale = fit_scale(numbers, weights)
        self._low, self._high, self._knots = -math.inf, math.inf, np.array([])
        if known.any():
            self._low, self._high = float(numbers[known].min()), float(numbers[known].max())
            if with_knots:
                self._knots = _find_knots(self._scale.deviations(numbers[known]), weights[known])
        # One column for the value itself, one for each knot, and one for a missing number.
        self.scales = np.ones(1 + len(self._knots) + self._has_missing)

    def matrix(self, rows: Array) -> sparse.csr_array:
        """Return the columns of some rows."""
        numbers = self.source.numbers[rows]
        missing = np.isnan(numbers)
        deviations = np.where(missing, 0.0, self._scale.deviations(numbers))
        columns = [sparse.csr_array(deviations.reshape(-1, 1))]
        if len(self._knots):
            columns.append(_interpolation(deviations, self._knots, ~missing))
        if self._has_missing:
            columns.append(sparse.csr_array(missing.astype(float).reshape(-1, 1)))
        return sparse.hstack(columns, format="csr")

    def part(self, weights: Array, shift: int) -> Part:  # noqa: ARG002  others are whole numbers
        """Return the student's part; `weights` are columns by classes."""
        knots = self._knots
        at_knots, of_missing = weights[1 : 1 + len(knots)], weights[1 + len(knots) :]
        offsets, slopes = np.zeros((1, weights.shape[1])), weights[:1]
        if len(knots):
            rises = np.diff(at_knots, axis=0) / np.diff(knots)[:, None]
            offsets = at_knots[:-1] - rises * knots[:-1, None]
            slopes = rises + weights[:1]
        return PiecewisePart(
            mean=self._scale.mean,
            scale=self._scale.spread,
            low=self._low,
            high=self._high,
            edges=(self._scale.mean + self._scale.spread * knots[1:-1]).tolist(),
            offsets=offsets.astype("<f8").tobytes(),
            slopes=slopes.astype("<f8").tobytes(),
            missing=of_missing.ravel().tolist(),
        )


def _find_knots(numbers: Array, weights: Array) -> Array:
    """Return the quantiles between which a function may bend; none of too few distinct ones."""
    shares = np.linspace(0, 1, KNOTS)
    knots: Array = np.unique(np.quantile(numbers, shares, weights=weights, method="inverted_cdf"))
    # Between knots that differ by a rounding error a slope would be endless.
    knots = knots[np.append(True, np.diff(knots) > LEAST_DISTANCE)]
    return knots if len(knots) > 2 else knots[:0]  # noqa: PLR2004


def _interpolation(numbers: Array, knots: Array, known: Array) -> sparse.csr_array:
    """Return the weights of the two knots next to each number, numbers by knots.

    Outside the knots these are the two outermost ones, whose line goes on. Rows of numbers that are
    not known are empty.
    """
    left = np.clip(np.searchsorted(knots, numbers, side="right") - 1, 0, len(knots) - 2)
    share = (numbers - knots[left]) / (knots[left + 1] - knots[left])
    pairs = np.column_stack([1 - share, share])[known]
    columns = np.column_stack([left, left + 1])[known]
    ends = np.concatenate([[0], np.cumsum(2 * known)])
    shape = (len(numbers), len(knots))
    return sparse.csr_array((pairs.ravel(), columns.ravel(), ends), shape=shape)


_Block: TypeAlias = TextBlock | _ChoiceBlock | _NumberBlock


class LinearDesign:
    """The columns of a linear model, fitted on some rows of the features, and matrices of any rows.

    `rows` are positions of records, `weights` say how often each of them occurs. The more `classes`
    there are, the fewer features of a text have room in a student.
    """

    def __init__(
        self,
        features: Sequence[FieldFeatures],
        rows: Array,
        weights: Array,
        terms: Terms,
        classes: int,
    ) -> None:
        most = most_features(classes, sum(isinstance(one, TextFeatures) for one in features))
        with_knots = terms == "piecewise-linear"
        self._blocks: list[_Block] = [
            TextBlock(one, rows, weights, most)
            if isinstance(one, TextFeatures)
            else _make_block(one, rows, weights, with_knots=with_knots)
            for one in features
        ]
        self._pairs = PairBlock(features, rows, weights) if terms == "pairs" else None

    def matrix(self, rows: Array) -> sparse.csr_array:
        """Return the matrix of some rows, rows by columns."""
        columns = [block.matrix(rows) for block in self._blocks]
        if self._pairs:
            columns.append(sparse.csr_array(self._pairs.matrix(rows)))
        return _with_short_indices(sparse.hstack(columns, format="csr"))

    def data(self, coefficients: Array, bias: Array, means: Array) -> LinearData:
        """Return fitted weights as plain data.

        `coefficients` belong to the columns of `matrix`, columns by classes; `means` are the mean
        values of these columns.
        """
        scales = np.concatenate([block.scales for block in self._blocks])
        # A feature counts 1 in the student and its scale in the matrix: fold the scale in here.
        unscaled = coefficients[: len(scales)] * scales[:, None]
        # The squares of scales are stored in the same unit.
        shift = _shift(max(float(np.abs(unscaled).max()), float((scales**2).max())))
        ends = np.cumsum([0, *(len(block.scales) for block in self._blocks)])
        flat: dict[str, Part] = {}
        mean_scores: dict[str, list[float]] = {}
        for block, start, end in zip(self._blocks, ends[:-1], ends[1:], strict=True):
            name = block.source.name
            mean_scores[name] = (means[start:end] @ coefficients[start:end]).tolist()
            flat[name] = block.part(unscaled[start:end], shift)
        return LinearData(
            bias=bias.tolist(),
            shift=shift,
            parts=_with_dates(flat),
            means=mean_scores,
            pairs=self._pair_data(coefficients[len(scales) :], means[len(scales) :]),
        )

    def _pair_data(self, coefficients: Array, means: Array) -> PairsData | None:
        if self._pairs is None:
            return None
        scales = self._pairs.scales
        return self._pairs.data(coefficients * scales[:, None], means / scales)


def _with_short_indices(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the matrix with indices of 32 bits, the only ones that liblinear takes."""
    indices, ends = (one.astype(np.int32) for one in (matrix.indices, matrix.indptr))
    return sparse.csr_array((matrix.data, indices, ends), shape=matrix.shape)


def _with_dates(flat: Mapping[str, Any]) -> dict[str, Part]:
    """Return parts such as day.month as the parts of one date."""
    parts: dict[str, Any] = {}
    for name, part in flat.items():
        field, _, inner = name.partition(".")
        if inner:
            parts.setdefault(field, {})[inner] = part
        else:
            parts[field] = part
    return {
        name: DatePart(part) if isinstance(part, dict) else part for name, part in parts.items()
    }


def _make_block(
    source: ChoiceFeatures | NumberFeatures, rows: Array, weights: Array, *, with_knots: bool
) -> _Block:
    if isinstance(source, ChoiceFeatures):
        return _ChoiceBlock(source, rows)
    return _NumberBlock(source, rows, weights, with_knots=with_knots)


def one_hot(columns: Array, width: int) -> sparse.csr_array:
    """Return a matrix with 1 in the given column of each row; a row with a negative one is empty.

    It has a column even if `width` is 0.
    """
    kept = columns >= 0
    ends = np.concatenate([[0], np.cumsum(kept)])
    shape = (len(columns), max(width, 1))
    return sparse.csr_array((np.ones(int(ends[-1])), columns[kept], ends), shape=shape)


def _shift(largest: float) -> int:
    """Return the largest shift with which all weights fit WEIGHT_BITS, for the finest unit."""
    return WEIGHT_BITS - 1 - max(math.ceil(math.log2(largest)), 0)
