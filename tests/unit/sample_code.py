"""What a user might name by a dotted path: enrichers, teachers, and what is neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from enrich.enrichers.base import Row
from enrich.learning.column import Columns

NOT_CODE = 3


class Length:
    """How long the wish is, in units of so many characters."""

    version = "1"

    def __init__(self, unit: int = 1, start: int = 0) -> None:
        self._unit = unit
        self._start = start

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [len(row["wish"][self._start :]) // self._unit for row in rows]


class Double:
    """Twice the length."""

    version = "1"

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [2 * row["length"] for row in rows]


class Words:
    """How many words all texts have."""

    version = "1"
    text_only = True

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [sum(len(str(value).split()) for value in row.values()) for row in rows]


class Unversioned:
    """Has no version, so that nobody can tell when its values are stale."""

    def __call__(self, rows: Sequence[Row]) -> list[int]:
        return [0 for _ in rows]


class Middle(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Answers the median of what it was taught."""

    def fit(self, X: Any, y: Any) -> Middle:  # noqa: ANN401, ARG002, N803
        """Learn it."""
        self.median_ = float(np.median(y))
        return self

    def predict(self, X: Any) -> Any:  # noqa: ANN401, N803
        """Return it for each row."""
        return np.full(len(X), self.median_)


def middle(columns: Columns) -> Any:  # noqa: ANN401, ARG001
    """Return a teacher as a user would write it."""
    return Middle()


def no_teacher(columns: Columns) -> Any:  # noqa: ANN401
    """Return what cannot be fitted."""
    return columns
