"""Linear models over inputs: logistic regression, maximum margin, or ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from db.scoring.student_data import LinearData

from .design import LinearDesign, Terms
from .features import FieldFeatures
from .target import Target

Array: TypeAlias = npt.NDArray[Any]

# The score of a label that no row to learn from has: its probability is practically zero.
ABSENT = -20.0
# A linear model hardly improves with more.
MOST_ITEMS = 100_000
SEED = 0


@dataclass(frozen=True)
class LinearSettings:
    """How a linear model is fitted.

    `strength` is the inverse of the regularization: C of classifications, 1 / alpha of regressions.
    The weight of rare labels is raised by the power `balance` of how rare they are.
    """

    loss: Literal["logistic", "margin", "squares"]
    strength: float
    terms: Terms = "linear"
    balance: float = 0.0

    @property
    def name(self) -> str:
        """The name in reports."""
        return "linear with pairs" if self.terms == "pairs" else self.terms


@dataclass(frozen=True)
class LinearModel:
    """A fitted linear model: coefficients, columns by classes, and a bias for each class."""

    design: LinearDesign
    coefficients: Array
    bias: Array
    means: Array

    def scores(self, records: Array) -> Array:
        """Return the scores of records, one row for each and one column for each class."""
        found: Array = self.design.matrix(records) @ self.coefficients + self.bias
        return found

    def data(self, factor: float = 1.0) -> LinearData:
        """Return the model as plain data, its scores multiplied by a factor."""
        return self.design.data(self.coefficients * factor, self.bias * factor, self.means)


def fit_linear(
    features: Sequence[FieldFeatures], target: Target, settings: LinearSettings
) -> LinearModel:
    """Fit a linear model on the items of a target, or on a fair sample of very many."""
    target = target.sample(MOST_ITEMS)
    records, weights = target.records, target.weights
    design = LinearDesign(features, records, weights, settings.terms, target.width)
    matrix = design.matrix(target.records)
    means = (target.weights @ matrix) / target.weights.sum()
    solve = _solve_number if target.is_number else _solve_classes
    coefficients, bias = solve(matrix, target, settings)
    return LinearModel(design, coefficients, bias, means)


def _solve_number(matrix: Any, target: Target, settings: LinearSettings) -> tuple[Array, Array]:  # noqa: ANN401
    ridge = Ridge(alpha=1 / settings.strength)
    ridge.fit(matrix, target.labels, sample_weight=target.weights)
    return ridge.coef_.reshape(-1, 1), np.array([ridge.intercept_])


def _solve_classes(matrix: Any, target: Target, settings: LinearSettings) -> tuple[Array, Array]:  # noqa: ANN401
    """Return the coefficients and biases of all labels; those of absent labels are constant."""
    coefficients = np.zeros((matrix.shape[1], target.width))
    bias = np.full(target.width, ABSENT)
    classes = target.classes
    if len(classes) == 1:
        bias[classes] = 0.0
        return coefficients, bias
    weights = target.weights * balance_weights(target, settings.balance)
    model = _classifier(settings).fit(matrix, target.labels, sample_weight=weights)
    if len(classes) == 2:  # noqa: PLR2004
        # scikit-learn keeps only the scores of the second label; those of the first are zero.
        coefficients[:, classes[1]], bias[classes] = model.coef_[0], (0.0, model.intercept_[0])
    else:
        coefficients[:, classes], bias[classes] = model.coef_.T, model.intercept_
    return coefficients, bias


def balance_weights(target: Target, power: float) -> Array:
    """Return a factor for each item that is larger the rarer its label is."""
    totals = np.bincount(target.labels, target.weights, target.width)
    share = np.maximum(totals, 1e-9) * len(target.classes) / totals.sum()
    factors: Array = share[target.labels] ** -power
    return factors


def _classifier(settings: LinearSettings) -> Any:  # noqa: ANN401
    if settings.loss == "margin":
        return LinearSVC(C=settings.strength, random_state=SEED)
    return LogisticRegression(C=settings.strength, max_iter=300)
