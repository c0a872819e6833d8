"""Distillation: fits a student on labels and on the teacher's answers to unlabelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import KFold

from db.scoring.student import StudentData
from db.spec.dataset_spec import DatasetSpec

from .student_design import Rows, StudentDesign, distinct_rows, spread

Array: TypeAlias = npt.NDArray[Any]

# The inverse regularization strength C of the logistic regression, chosen by five-fold
# cross-validation on real utterances.
STRENGTH = 0.3
# The regularization strengths that the ridge regression chooses from.
ALPHAS = (0.1, 1.0, 10.0, 100.0, 1000.0)
# With fewer rows the ridge regression has nothing to choose by.
FEWEST_CHOSEN_BY = 5


@dataclass(frozen=True)
class StudentTrainingSet:
    """The rows that a student learns from: labelled, and unlabelled with the teacher's answers.

    `names` are the labels of a classification. `answers` has one row for each unlabelled row: a
    probability for each of `names`, or for a regression one number.
    """

    rows: Rows
    labels: Array
    unlabelled: Rows
    answers: Array
    names: Sequence[str]


def fit_classifier(
    design: StudentDesign, training_set: StudentTrainingSet
) -> tuple[Any, StudentData]:
    """Fit a classifier; return scikit-learn's model and the same as plain data.

    An unlabelled row is repeated for each label, weighted by the teacher's probability of it.
    """
    matrix = [design.matrix(training_set.rows)]
    targets, weights = [training_set.labels], [np.ones(len(training_set.labels))]
    if len(training_set.unlabelled):
        unlabelled = design.matrix(training_set.unlabelled)
        for column, name in enumerate(training_set.names):
            matrix.append(unlabelled)
            targets.append(np.full(len(training_set.unlabelled), name))
            weights.append(training_set.answers[:, column])
    target, weight = np.concatenate(targets), np.concatenate(weights)
    is_constant = len(set(target[weight > 0].tolist())) == 1
    model: Any = LogisticRegression(C=STRENGTH, max_iter=1000)
    if is_constant:
        model, target = DummyClassifier(), target[weight > 0][:1].repeat(len(target))
    features = sparse.vstack(matrix).tocsr()
    model.fit(features, target, weight * _balance(target, weight))
    width = features.shape[1]
    coefficients, bias = (
        (np.zeros((width, 1)), np.zeros(1)) if is_constant else _coefficients(model)
    )
    parts, shift = design.parts(coefficients)
    return model, StudentData(
        labels=[str(name) for name in model.classes_],
        bias=bias.tolist(),
        shift=shift,
        parts=parts,
    )


def _balance(target: Array, weight: Array) -> Array:
    """Return a factor for each row that raises the weight of rare labels by the square root.

    Full balance costs accuracy, no balance costs macro-F1.
    """
    names, index = np.unique(target, return_inverse=True)
    share = np.bincount(index, weights=weight) / weight.sum()
    factor: Array = np.sqrt(1 / (len(names) * np.maximum(share, 1e-9)))[index]
    return factor


def _coefficients(model: LogisticRegression) -> tuple[Array, Array]:
    """Return the coefficients, columns by classes, and the bias of each class.

    Of two classes scikit-learn keeps only the second's; those of the first are zero.
    """
    coefficients, bias = model.coef_.T, model.intercept_
    if coefficients.shape[1] == 1:
        coefficients = np.hstack([np.zeros_like(coefficients), coefficients])
        bias = np.array([0.0, bias[0]])
    return coefficients, bias


def fit_regressor(
    design: StudentDesign, training_set: StudentTrainingSet
) -> tuple[Any, StudentData]:
    """Fit a regressor; return scikit-learn's model and the same as plain data.

    The target is standardized: both predict standard deviations from its mean. If no label is
    negative, no answer of the student is.
    """
    lowest = 0.0 if training_set.labels.min() >= 0 else None
    answers = training_set.answers if lowest is None else np.maximum(training_set.answers, lowest)
    numbers = np.concatenate([training_set.labels, answers])
    mean, scale = float(numbers.mean()), spread(numbers)
    rows = [*training_set.rows, *training_set.unlabelled]
    model = _ridge(len(rows), len(distinct_rows(rows)[0]))
    model.fit(design.matrix(rows), (numbers - mean) / scale)
    parts, shift = design.parts(model.coef_.reshape(-1, 1))
    return model, StudentData(
        labels=[],
        bias=[float(model.intercept_)],
        shift=shift,
        parts=parts,
        target_mean=mean,
        target_scale=scale,
        lowest=lowest,
    )


def _ridge(rows: int, distinct: int) -> Any:  # noqa: ANN401
    """Return an unfitted ridge regression; repeated rows say no more than one of them."""
    if rows < FEWEST_CHOSEN_BY:
        return Ridge()
    # The rows may be sorted, such as by date.
    folds = KFold(FEWEST_CHOSEN_BY, shuffle=True, random_state=0)
    return RidgeCV(alphas=[alpha * rows / distinct for alpha in ALPHAS], cv=folds)


def fit_student(
    spec: DatasetSpec, training_set: StudentTrainingSet
) -> tuple[Any, StudentDesign, StudentData]:
    """Fit a student; return scikit-learn's model, its design, and the student as plain data."""
    design = StudentDesign(spec, [*training_set.rows, *training_set.unlabelled])
    fit = fit_classifier if spec.kind == "classification" else fit_regressor
    model, data = fit(design, training_set)
    return model, design, data
