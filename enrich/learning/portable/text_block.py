"""The features of a text as columns of a linear model, and their scales."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from db.scoring.student_data import NormedTextPart, Part

from .features import TextFeatures

Array: TypeAlias = npt.NDArray[Any]

# These constants were chosen by five-fold cross-validation on real utterances.
# Text features that occur in fewer rows are dropped.
FEWEST_ROWS = 2
# The most frequent features are kept: the web process has to hold them.
MOST_FEATURES = 100_000
# A student of 64 MiB has room for so many weights, four bytes each, and for the features' names.
MOST_WEIGHTS = 15_000_000
# A text feature is scaled by this power of its inverse document frequency: rare features say more
# about a text.
IDF_POWER = 1.5
# An n-gram says less than a word.
GRAM_WEIGHT = 0.7
# The scaled counts of a text are divided by their norm to this power.
NORM_POWER = 0.7


class TextBlock:
    """The columns of a text: one for each feature that occurs in enough of the training rows.

    `most` is how many there may be: the most frequent ones.
    """

    def __init__(self, source: TextFeatures, rows: Array, weights: Array, most: int) -> None:
        self.source = source
        matrix = source.matrix[rows]
        occurs = sparse.csr_array(
            (np.ones(matrix.nnz), matrix.indices, matrix.indptr), matrix.shape
        )
        frequencies = weights @ occurs
        self._kept = kept_features(frequencies, most)
        names = self.source.names[self._kept]
        self.scales = feature_scales(names, frequencies[self._kept], float(weights.sum()))

    def matrix(self, rows: Array) -> sparse.csr_array:
        """Return the columns of some rows, scaled and normed."""
        counts = self.source.matrix[rows][:, self._kept]
        squares = counts @ self.scales**2
        divisors = np.where(squares > 0, squares, 1.0) ** (NORM_POWER / 2)
        return (sparse.diags_array(1 / divisors) @ counts @ sparse.diags_array(self.scales)).tocsr()

    def part(self, weights: Array, shift: int) -> Part:
        """Return the student's part; `weights` are columns by classes, unscaled."""
        names = self.source.names[self._kept].tolist()
        columns = np.column_stack([weights, self.scales**2])
        return NormedTextPart(names, pack_weights(columns, shift), NORM_POWER)


def most_features(classes: int, texts: int) -> int:
    """Return how many features each of `texts` fields may have with so many classes."""
    return min(MOST_FEATURES, MOST_WEIGHTS // (classes + 1) // max(texts, 1))


def kept_features(frequencies: Array, most: int) -> Array:
    """Return the positions of the most frequent features, without those of too few rows.

    There is always one, since scikit-learn refuses a matrix without columns.
    """
    frequent = np.argsort(-frequencies, kind="stable")[:most]
    kept = np.sort(frequent[frequencies[frequent] >= FEWEST_ROWS])
    return kept if len(kept) else np.array([0])


def feature_scales(names: Array, frequencies: Array, rows: float) -> Array:
    """Return the scales of text features; `frequencies` are numbers of rows out of `rows`."""
    scales = idf_scales(frequencies, rows)
    scales[[name.startswith("=") for name in names.tolist()]] *= GRAM_WEIGHT
    return scales


def idf_scales(frequencies: Array, rows: float) -> Array:
    """Return the scale of each feature by its inverse document frequency, 1 on average.

    `frequencies` are numbers of rows with the feature, out of `rows`.
    """
    scales: Array = (np.log((1 + rows) / (1 + frequencies)) + 1) ** IDF_POWER
    return scales / scales.mean() if len(scales) else scales


def pack_weights(weights: Array, shift: int) -> bytes:
    """Return weights as whole multiples of 2**-shift, four bytes each."""
    return np.rint(weights * 2.0**shift).astype("<i4").tobytes()
