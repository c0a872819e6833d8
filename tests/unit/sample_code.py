"""Enrichers and teachers that tests name by dotted paths, valid and invalid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from enrich.enrichers.base import Row
from enrich.learning.column import Columns

NOT_CODE = 3


class Length:
    """The length of the wish, counted in units of `unit` characters."""

    version = "1"

    def __init__(self, unit: int = 1, start: int = 0) -> None:
        self._unit = unit
        self._start = start

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [len(row["wish"][self._start :]) // self._unit for row in rows]


class Double:
    """Twice the value of `length`."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [2 * row["length"] for row in rows]


class Words:
    """The number of words in all texts of a row."""

    version = "1"
    text_only = True

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [sum(len(str(value).split()) for value in row.values()) for row in rows]


class Unversioned:
    """An enricher without a version: its stale values could not be recognized."""

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [0 for _ in rows]


class Middle(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor that always predicts the median of its training targets."""

    def fit(self, X: Any, y: Any) -> Middle:  # noqa: ANN401, ARG002, N803
        """Store the median of y."""
        self.median_ = float(np.median(y))
        return self

    def predict(self, X: Any) -> Any:  # noqa: ANN401, N803
        """Return the median for every row."""
        return np.full(len(X), self.median_)


def middle(columns: Columns) -> Any:  # noqa: ANN401, ARG001
    """Return a valid teacher, as a user would write it."""
    return Middle()


class Prices(BaseEstimator):  # type: ignore[misc]
    """Knows the price that the first word of a wish ends in, such as 120 of "tram120"."""

    def fit(self, X: Any, y: Any) -> Prices:  # noqa: ANN401, ARG002, N803
        """Do nothing."""
        return self

    def predict(self, X: Any) -> Any:  # noqa: ANN401, N803
        """Return the price of each wish."""
        return np.array([float(wish.split()[0][4:]) for wish in X["wish"]])


def prices(columns: Columns) -> Any:  # noqa: ANN401, ARG001
    """Return a teacher that is never wrong."""
    return Prices()


def no_teacher(columns: Columns) -> Any:  # noqa: ANN401
    """Return an object that cannot be fitted."""
    return columns
