"""Trials: what each kind of model answers out of fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .boosting import BoostedModel, BoostingSettings, TreeInputs, fit_boosting
from .features import FieldFeatures
from .linear_model import LinearSettings, fit_linear
from .target import Target

Array: TypeAlias = npt.NDArray[Any]
# Called with what was fitted, and on how many records.
Progress: TypeAlias = Callable[[str, int], None]

SEED = 0


@dataclass(frozen=True)
class LabelledRows:
    """All rows to learn from, and the fold of each labelled record, which come first of all.

    A record with fold -1 is left out. `answered` has what a teacher that was not trained on a fold
    answered for unlabelled records, by the fold; models learn that too.
    """

    target: Target
    folds: Array
    answered: Mapping[int, Target] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """The number of records."""
        return int((self.folds >= 0).sum())

    @property
    def fold_count(self) -> int:
        """The number of folds."""
        return len(np.unique(self.folds[self.folds >= 0]))

    def each_fold(self) -> Iterator[tuple[Target, Target, Array]]:
        """Yield for each fold what to learn, what is held out, and the records to answer."""
        of_item = self.folds[self.target.records]
        for fold in np.unique(self.folds[self.folds >= 0]).tolist():
            train = self.target.only((of_item != fold) & (of_item >= 0))
            if fold in self.answered:
                train = train.plus(self.answered[fold])
            yield train, self.target.only(of_item == fold), np.flatnonzero(self.folds == fold)

    def sample(self, records: int) -> LabelledRows:
        """Return the same rows with only some of the records, a fair sample."""
        if records >= len(self.folds):
            return self
        kept = np.random.default_rng(SEED).permutation(len(self.folds))[:records]
        folds = np.full(len(self.folds), -1)
        folds[kept] = self.folds[kept]
        return replace(self, folds=folds, target=self.target.only(folds[self.target.records] >= 0))


@dataclass(frozen=True)
class LinearTrial:
    """The out-of-fold scores of a linear model, labelled records by classes."""

    settings: LinearSettings
    scores: Array


@dataclass(frozen=True)
class BoostingTrial:
    """The out-of-fold scores of trees, and how many rounds of boosting gave the best ones."""

    settings: BoostingSettings
    scores: Array
    rounds: int


def try_linear(
    features: Sequence[FieldFeatures],
    rows: LabelledRows,
    settings: LinearSettings,
    progress: Progress,
) -> LinearTrial:
    """Return the out-of-fold scores of a linear model."""
    scores = np.zeros((len(rows.folds), rows.target.width))
    for fold, (train, _, records) in enumerate(rows.each_fold(), 1):
        scores[records] = fit_linear(features, train, settings).scores(records)
        progress(f"{settings.name}, fold {fold} of {rows.fold_count}", rows.records)
    return LinearTrial(settings, scores)


def try_boosting(
    inputs: TreeInputs, rows: LabelledRows, settings: BoostingSettings, progress: Progress
) -> BoostingTrial:
    """Return the out-of-fold scores of trees, as many in each fold as are best on average."""
    fitted: list[tuple[BoostedModel, Array]] = []
    curves, sizes = [], []
    for fold, (train, held_out, records) in enumerate(rows.each_fold(), 1):
        model, curve = fit_boosting(inputs, train, settings, held_out=held_out)
        fitted.append((model, records))
        curves.append(curve)
        sizes.append(float(held_out.weights.sum()))
        progress(f"{settings.name}, fold {fold} of {rows.fold_count}", rows.records)
    rounds = best_round(curves, sizes)
    scores = np.zeros((len(rows.folds), rows.target.width))
    for model, records in fitted:
        scores[records] = replace(model, rounds=min(rounds, model.rounds)).scores(records)
    return BoostingTrial(settings, scores, rounds)


def best_round(curves: Sequence[Array], sizes: Sequence[float]) -> int:
    """Return the number of rounds with the least loss on average, at least 1.

    A curve starts with the loss without trees. One that has ended counts with its last loss:
    fitting stopped since it rose.
    """
    longest = max(map(len, curves))
    padded = np.array([np.pad(curve, (0, longest - len(curve)), "edge") for curve in curves])
    mean = np.average(padded, axis=0, weights=sizes)
    return int(mean[1:].argmin()) + 1
