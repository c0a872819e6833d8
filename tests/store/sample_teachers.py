"""Teachers for tests, written as a user would write them."""

from __future__ import annotations

from typing import Any

from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from enrich.learning.column import Column, Columns, Numbers, WordWeights


def mean(columns: Columns) -> Any:  # noqa: ANN401
    """Return an estimator that always predicts the mean label."""
    return make_pipeline(Column(next(iter(columns))), DummyRegressor())


def words(columns: Columns) -> Any:  # noqa: ANN401
    """Return an estimator that reads the words of texts, and numbers such as those of enrichers."""
    parts = [
        make_pipeline(Column(name, as_text=True), WordWeights())
        if kind == "text"
        else make_pipeline(Column(name), StandardScaler())
        for name, kind in columns.items()
        if kind in {"text", "number"}
    ]
    return make_pipeline(make_union(*parts), LogisticRegression(C=10.0, max_iter=1000))


def trees(columns: Columns) -> Any:  # noqa: ANN401
    """Return an estimator that reads numbers, whose file another scikit-learn cannot load."""
    numbers = [make_pipeline(Numbers(name)) for name, kind in columns.items() if kind == "number"]
    return make_pipeline(make_union(*numbers), HistGradientBoostingRegressor(max_iter=20))
