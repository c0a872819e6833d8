"""The peer: scikit-learn's histogram gradient boosting with defaults and native categories."""

from __future__ import annotations

from collections import Counter

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .metrics import Answers, Array
from .table import MISSING, Table, is_number

# The estimator accepts so many categories in a column; rarer ones are read as missing.
MOST_CATEGORIES = 255


def answer_of_peer(train: Table, held_out: Table) -> Answers:
    """Fit the peer on the training rows, and return its answers for the held-out rows."""
    choices = [not all(map(is_number, train.cells(name))) for name in train.inputs]
    codes = [_codes(train, name) for name in train.inputs]
    known, unknown = (_encode(table, choices, codes) for table in (train, held_out))
    # On busy cores several threads wait for each other: digits took 228 s.
    with threadpool_limits(limits=1):
        return _fit(train, choices, known, unknown)


def _fit(train: Table, choices: list[bool], known: Array, unknown: Array) -> Answers:
    truth = train.cells(train.target)
    if train.kind == "regression":
        regressor = HistGradientBoostingRegressor(categorical_features=choices, random_state=0)
        regressor.fit(known, np.array(truth, float))
        return Answers([], regressor.predict(unknown).reshape(-1, 1))
    classifier = HistGradientBoostingClassifier(categorical_features=choices, random_state=0)
    classifier.fit(known, truth)
    return Answers([str(name) for name in classifier.classes_], classifier.predict_proba(unknown))


def _codes(train: Table, column: str) -> dict[str, float]:
    counts = Counter(cell for cell in train.cells(column) if cell not in MISSING)
    return {cell: float(at) for at, (cell, _) in enumerate(counts.most_common(MOST_CATEGORIES))}


def _encode(table: Table, choices: list[bool], codes: list[dict[str, float]]) -> Array:
    """Return a column of numbers, or of the codes of categories, for each input."""
    encoded = [
        [of_column.get(cell, np.nan) if is_choice else _number(cell) for cell in table.cells(name)]
        for name, is_choice, of_column in zip(table.inputs, choices, codes, strict=True)
    ]
    return np.array(encoded, float).T


def _number(cell: str) -> float:
    return np.nan if cell in MISSING else float(cell)
