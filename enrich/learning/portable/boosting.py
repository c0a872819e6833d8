"""Gradient boosting over inputs, whose number of trees is chosen on held-out folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from .features import ChoiceFeatures, FieldFeatures, NumberFeatures
from .linear_model import ABSENT
from .target import Target

Array: TypeAlias = npt.NDArray[Any]
Estimator: TypeAlias = Any

# scikit-learn reads up to 255 bins, of which one is for missing values.
MOST_CODES = 254
# Of more rows scikit-learn finds the bins in a sample, which it draws by their weights.
MOST_BINNED = 200_000
# Fitting stops when this many further trees have not improved the held-out loss.
PATIENCE = 20
# A student must answer within some microseconds: all its trees together make so many comparisons
# for a row, each of them the logarithm of its number of leaves.
MOST_COMPARISONS = 750
SEED = 0


@dataclass(frozen=True)
class BoostingSettings:
    """How trees are grown."""

    learning_rate: float
    leaves: int
    fewest_in_leaf: int = 20
    l2: float = 1.0
    share_of_features: float = 1.0

    @property
    def name(self) -> str:
        """The name in reports."""
        return "gradient-boosting"


class TreeInputs:
    """What trees read of all records: one column for each choice and number, then text scores.

    A choice is the position of its value in `names`; those that occur seldom, if there are more
    than MOST_CODES, are missing. `texts` are scores of the text fields, records by classes; the
    last records may have none. Only the first `labelled` records decide which values have a code.
    """

    def __init__(
        self,
        features: Sequence[FieldFeatures],
        texts: Array | None = None,
        labelled: int | None = None,
    ) -> None:
        self.labelled = labelled
        # scikit-learn puts choices first, too.
        self.sources: list[NumberFeatures | ChoiceFeatures] = [
            *(one for one in features if isinstance(one, ChoiceFeatures)),
            *(one for one in features if isinstance(one, NumberFeatures)),
        ]
        columns, self.names = [], {}
        for source in self.sources:
            if isinstance(source, NumberFeatures):
                columns.append(source.numbers.astype(float))
            else:
                self.names[source.name], codes = _most_frequent(source, labelled)
                columns.append(codes)
        self.width_of_texts = 0 if texts is None else texts.shape[1]
        if texts is not None:
            columns.append(_pad(texts, len(columns[0])))
        self.matrix = np.column_stack(columns)
        self.is_choice = np.array(
            [isinstance(one, ChoiceFeatures) for one in self.sources]
            + [False] * self.width_of_texts
        )


def _pad(texts: Array, records: int) -> Array:
    padded: Array = np.full((records, texts.shape[1]), np.nan)
    padded[: len(texts)] = texts
    return padded


def _most_frequent(source: ChoiceFeatures, labelled: int | None) -> tuple[list[str], Array]:
    """Return the values with a code, and the code of each record, NaN where it has none."""
    counts = np.bincount(source.codes[:labelled], minlength=len(source.names))
    most = np.argsort(-counts, kind="stable")[:MOST_CODES]
    kept = np.sort(most[counts[most] > 0])
    codes = np.full(len(source.names), np.nan)
    codes[kept] = np.arange(len(kept))
    return [source.names[at] for at in kept.tolist()], codes[source.codes]


@dataclass(frozen=True)
class BoostedModel:
    """A fitted ensemble of trees; those of the first `rounds` count, all others are ignored."""

    inputs: TreeInputs
    estimator: Estimator
    rounds: int
    classes: Array
    width: int

    def scores(self, records: Array) -> Array:
        """Return the scores of records, one row for each and one column for each class."""
        found = np.full((len(records), self.width), ABSENT)
        rows = self.inputs.matrix[records]
        if self.estimator is None:
            found[:, self.classes] = 0.0
            return found
        staged = _staged(self.estimator)
        raw = next(islice(staged(rows), self.rounds - 1, None)).reshape(len(records), -1)
        if self.width > 1 and raw.shape[1] == 1:
            raw = np.hstack([np.zeros_like(raw), raw])
        found[:, self.classes] = raw
        return found


def _staged(estimator: Estimator) -> Any:  # noqa: ANN401
    if isinstance(estimator, HistGradientBoostingClassifier):
        return estimator.staged_decision_function
    return estimator.staged_predict


def most_rounds(width: int, leaves: int) -> int:
    """Return how many rounds of boosting there may be; each adds a tree for each label."""
    per_round = width if width > 2 else 1  # noqa: PLR2004  two labels have one score
    return max(int(MOST_COMPARISONS / math.log2(leaves) / per_round), 1)


def fit_boosting(
    inputs: TreeInputs,
    target: Target,
    settings: BoostingSettings,
    *,
    rounds: int = 0,
    held_out: Target | None = None,
) -> tuple[BoostedModel, Array]:
    """Fit trees; return the model, and the held-out loss without trees and after each round.

    Either so many rounds are fitted, or as many as make the loss of `held_out` fall.
    """
    classes = np.array([0]) if target.is_number else target.classes
    if len(classes) == 1 and not target.is_number:
        return BoostedModel(inputs, None, 1, classes, target.width), np.zeros(2)
    kind = HistGradientBoostingRegressor if target.is_number else HistGradientBoostingClassifier
    estimator = kind(
        learning_rate=settings.learning_rate,
        max_iter=rounds or most_rounds(target.width, settings.leaves),
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.fewest_in_leaf,
        max_features=settings.share_of_features,
        l2_regularization=settings.l2,
        categorical_features=inputs.is_choice if inputs.is_choice.any() else None,
        early_stopping=held_out is not None,
        n_iter_no_change=PATIENCE,
        random_state=SEED,
    )
    extra = {} if held_out is None else _validation(inputs, target, held_out)
    rows = _without_empty(inputs.matrix[target.records], settings.fewest_in_leaf)
    estimator.fit(rows, target.labels, _weights(target), **extra)
    curve = -np.asarray(estimator.validation_score_) if held_out is not None else np.zeros(2)
    return BoostedModel(inputs, estimator, estimator.n_iter_, classes, target.width), curve


def _weights(target: Target) -> Array | None:
    """Return the weights of the items, None if that makes the same trees.

    With weights, scikit-learn calculates each of the 254 quantiles of a column on its own, which
    takes longer than growing the trees.
    """
    are_equal = bool((target.weights == 1).all())
    return None if are_equal and len(target.weights) <= MOST_BINNED else target.weights


def _without_empty(rows: Array, fewest: int) -> Array:
    """Return rows in which columns with few numbers have none: no leaf would have that few.

    scikit-learn refuses columns that have only missing numbers. Those of zeros are never split.
    """
    is_empty = (~np.isnan(rows)).sum(axis=0) < fewest
    filled: Array = np.where(is_empty, 0.0, rows)
    return filled


def _validation(inputs: TreeInputs, target: Target, held_out: Target) -> dict[str, Array]:
    """Return the held-out items as scikit-learn takes them, without labels new to the target."""
    if not target.is_number:
        held_out = held_out.only(np.isin(held_out.labels, target.classes))
    return {
        "X_val": inputs.matrix[held_out.records],
        "y_val": held_out.labels,
        "sample_weight_val": held_out.weights,
    }
