"""The inputs of records as arrays, made once and shared by all folds: no label has a part in it."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from db.scoring.features import count_features
from db.scoring.linear.piecewise_scorer import MAX_DEVIATION
from db.scoring.student_data import MISSING
from db.spec.dataset_spec import DatasetSpec
from enrich.learning.column import Table, columns_of

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class TextFeatures:
    """How often each of `names`, the features of a text field, occurs: records by names."""

    name: str
    names: Array
    matrix: sparse.csr_array


@dataclass(frozen=True)
class ChoiceFeatures:
    """The values of a choice or boolean field: for each record the position of its own."""

    name: str
    names: list[str]
    codes: Array


@dataclass(frozen=True)
class NumberFeatures:
    """The values of a number field, NaN where it is missing."""

    name: str
    numbers: Array


FieldFeatures: TypeAlias = TextFeatures | ChoiceFeatures | NumberFeatures


def make_features(spec: DatasetSpec, table: Table) -> list[FieldFeatures]:
    """Return the features of each field, or of each part of a date, of all records of a table."""
    return [_make(name, kind, table[name]) for name, kind in columns_of(spec, {}).items()]


def _make(name: str, kind: str, column: Array) -> FieldFeatures:
    if kind == "number":
        return NumberFeatures(name, column)
    if kind == "choice":
        return ChoiceFeatures(name, *_codes(column.tolist()))
    return TextFeatures(name, *count_texts(column.tolist()))


def _codes(values: Sequence[str]) -> tuple[list[str], Array]:
    """Return the distinct values in order, and the position of each value among them."""
    names = sorted(set(values))
    at = {name: position for position, name in enumerate(names)}
    return names, np.array([at[value] for value in values], dtype=np.int32)


def count_texts(texts: Sequence[str]) -> tuple[Array, sparse.csr_array]:
    """Return the features of all texts in order, and how often each text has them."""
    seen: dict[str, int] = {}
    columns, counts, ends = array("i"), array("d"), array("q", [0])
    for text in texts:
        features = count_features(text) if text != MISSING else {MISSING: 1}
        columns.extend(seen.setdefault(feature, len(seen)) for feature in features)
        counts.extend(features.values())
        ends.append(len(columns))
    # scikit-learn refuses a matrix without columns.
    names = np.array(list(seen) or [MISSING], dtype=object)
    order = np.argsort(names)
    position = np.empty(len(names), dtype=np.int32)
    position[order] = np.arange(len(names))
    in_order = position[np.frombuffer(columns, "i4")] if columns else np.array([], dtype=np.int32)
    matrix = sparse.csr_array((counts, in_order, ends), shape=(len(texts), len(names)))
    matrix.sort_indices()
    return names[order], matrix


class NumberScale(NamedTuple):
    """What a number is standardized by."""

    mean: float
    spread: float

    def deviations(self, numbers: Array) -> Array:
        """Return standardized numbers, within the limits of a student; missing ones stay NaN."""
        deviations = (numbers - self.mean) / self.spread
        limited: Array = np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION)
        return limited


def fit_scale(numbers: Array, weights: Array) -> NumberScale:
    """Return the scale of the numbers that are not missing."""
    known = ~np.isnan(numbers)
    if not known.any():
        return NumberScale(0.0, 1.0)
    numbers, weights = numbers[known], weights[known]
    return NumberScale(float(np.average(numbers, weights=weights)), spread(numbers, weights))


def spread(numbers: Array, weights: Array) -> float:
    """Return the standard deviation, or 1 if it is zero up to rounding errors."""
    mean = np.average(numbers, weights=weights)
    deviation = float(np.average((numbers - mean) ** 2, weights=weights) ** 0.5)
    return deviation if deviation > 1e-12 * float(np.abs(numbers).max(initial=0.0)) else 1.0
