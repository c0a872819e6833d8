"""The search for the best portable model: linear, trees, or the sum of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from enrich.learning.quality.calibration import fit_temperature, log_losses

from .boosting import BoostingSettings, TreeInputs, fit_boosting
from .ensemble import Ensemble
from .features import FieldFeatures, TextFeatures
from .linear_model import ABSENT, LinearSettings, fit_linear
from .pair_block import can_pair
from .settings import BOOSTING, table_settings, text_settings
from .target import Target
from .trial import BoostingTrial, LabelledRows, LinearTrial, Progress, try_boosting, try_linear

Array: TypeAlias = npt.NDArray[Any]
S = TypeVar("S", LinearSettings, BoostingSettings)
T = TypeVar("T", LinearTrial, BoostingTrial)

# On more records, settings are chosen on a sample of so many.
MOST_SCANNED = 6000
# With more labels, trees would be too many to answer at once: each label has its own.
MOST_LABELS_OF_TREES = 20
# Of fewer records trees learn nothing: each leaf has 20 rows.
FEWEST_OF_TREES = 60
# The shares of the linear model in its sum with trees.
SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Problem:
    """What models are tried on: the features of all records, and the rows to learn from.

    `repeats` is how many rows there are for each record, if they repeat few records often.
    """

    features: Sequence[FieldFeatures]
    rows: LabelledRows
    repeats: float = 1.0

    @property
    def text_features(self) -> list[FieldFeatures]:
        """The features of the text fields alone."""
        return [one for one in self.features if isinstance(one, TextFeatures)]

    def tree_inputs(self, texts: Array | None) -> TreeInputs:
        """Return what trees read, with the scores of the texts."""
        return TreeInputs(self.features, texts, len(self.rows.folds))

    @property
    def is_text(self) -> bool:
        """Whether there are only text fields."""
        return len(self.text_features) == len(self.features)

    @property
    def can_boost(self) -> bool:
        """Whether trees are tried."""
        is_small = self.rows.target.width <= MOST_LABELS_OF_TREES
        return is_small and not self.is_text and len(self.rows.folds) >= FEWEST_OF_TREES


@dataclass(frozen=True)
class Found:
    """The best kind of model that was tried.

    `scores` are out of fold, each multiplied by its factor: labelled records by classes. The parts
    that are None have no share in it. `texts` are the settings of the model of the texts that the
    trees read, and its out-of-fold scores.
    """

    scores: Array
    linear: LinearTrial | None = None
    linear_factor: float = 1.0
    boosted: BoostingTrial | None = None
    boosted_factor: float = 1.0
    texts: LinearTrial | None = None

    @property
    def name(self) -> str:
        """The name in reports."""
        parts = [one.settings.name for one in (self.linear, self.boosted) if one]
        return " + ".join(parts)


def search(problem: Problem, progress: Progress) -> Found:
    """Return the kind of model with the least out-of-fold loss."""
    rows = problem.rows
    texts = _try_texts(problem, progress)
    linear = _best(
        rows,
        _linear_settings(problem),
        lambda settings, some: try_linear(problem.features, some, settings, progress),
    )
    found = [_single(rows.target, linear)]
    if problem.can_boost:
        inputs = problem.tree_inputs(texts.scores if texts else None)
        boosted = _best(
            rows,
            BOOSTING,
            lambda settings, some: try_boosting(inputs, some, settings, progress),
        )
        found.append(_single(rows.target, boosted, texts))
        found += _blends(*found)
    return min(found, key=lambda one: loss_of(one.scores, rows.target))


def _linear_settings(problem: Problem) -> Sequence[LinearSettings]:
    is_number = problem.rows.target.is_number
    texts = text_settings(is_number=is_number) if problem.text_features else ()
    if problem.is_text:
        return texts
    with_pairs = can_pair(problem.features, len(problem.rows.folds))
    return (
        *texts,
        *table_settings(is_number=is_number, repeats=problem.repeats, with_pairs=with_pairs),
    )


def planned_fits(problem: Problem) -> int:
    """Return on how many records models will be fitted in all, each fit counted."""
    rows = problem.rows
    once, sample = rows.records * rows.fold_count, rows.sample(MOST_SCANNED).records
    numbers = [len(_linear_settings(problem))]
    if problem.can_boost:
        numbers.append(len(BOOSTING))
        if problem.text_features:
            numbers.append(len(text_settings(is_number=rows.target.is_number)))
    scans = sum(number for number in numbers if number > 1) * sample * rows.fold_count
    runs = sum(number == 1 or sample < rows.records for number in numbers) * once
    return scans + runs


def _best(rows: LabelledRows, settings: Sequence[S], run: Callable[[S, LabelledRows], T]) -> T:
    """Return the trial on all rows of the settings with the least loss on a sample of them."""
    if len(settings) == 1:
        return run(settings[0], rows)
    sample = rows.sample(MOST_SCANNED)
    tried = [run(one, sample) for one in settings]
    losses = [loss_of(_single(sample.target, trial).scores, sample.target) for trial in tried]
    best = losses.index(min(losses))
    return tried[best] if sample is rows else run(settings[best], rows)


def _try_texts(problem: Problem, progress: Progress) -> LinearTrial | None:
    """Return the scores of the texts alone for trees to read; None where no tree reads any."""
    if not problem.text_features or not problem.can_boost:
        return None
    features = problem.text_features
    return _best(
        problem.rows,
        text_settings(is_number=problem.rows.target.is_number),
        lambda settings, some: try_linear(features, some, settings, progress),
    )


def _single(
    target: Target, trial: LinearTrial | BoostingTrial, texts: LinearTrial | None = None
) -> Found:
    """Return a model of one kind, with the factor that calibrates its probabilities."""
    factor = 1.0 if target.is_number else _fit_factor(target, trial.scores)
    # A label without a row to learn from stays as good as impossible.
    scores = np.where(trial.scores == ABSENT, ABSENT, factor * trial.scores)
    if isinstance(trial, LinearTrial):
        return Found(scores, linear=trial, linear_factor=factor)
    return Found(scores, boosted=trial, boosted_factor=factor, texts=texts)


def _fit_factor(target: Target, scores: Array) -> float:
    """Return the factor that calibrates scores; labels that were absent from a fold do not count.

    No factor is right for these, and with a few of them all other answers would lose certainty.
    """
    known = target.only(scores[target.records, target.labels] != ABSENT)
    return fit_temperature(scores[known.records], known.labels, known.weights)


def _blends(linear: Found, boosted: Found) -> list[Found]:
    """Return sums of both models; a few fixed shares chose better than fitted ones."""
    return [
        replace(
            boosted,
            scores=share * linear.scores + (1 - share) * boosted.scores,
            linear=linear.linear,
            linear_factor=share * linear.linear_factor,
            boosted_factor=(1 - share) * boosted.boosted_factor,
        )
        for share in SHARES
    ]


def loss_of(scores: Array, target: Target) -> float:
    """Return the mean log loss or squared error of out-of-fold scores."""
    of_items = scores[target.records]
    if target.is_number:
        losses = (of_items[:, 0] - target.labels) ** 2
    else:
        losses = log_losses(softmax(of_items, axis=1), target.labels)
    return float(np.average(losses, weights=target.weights))


def fit_found(problem: Problem, found: Found, extra: Target | None = None) -> Ensemble:
    """Fit the kind of model that was found on all rows, and on `extra` ones."""
    target = problem.rows.target
    linear = boosted = texts = None
    if found.linear:
        learnt = target if extra is None else target.plus(extra)
        linear = fit_linear(problem.features, learnt, found.linear.settings)
    if found.texts:
        texts = fit_linear(problem.text_features, target, found.texts.settings)
    if found.boosted:
        inputs = problem.tree_inputs(found.texts.scores if found.texts else None)
        boosted, _ = fit_boosting(
            inputs, target, found.boosted.settings, rounds=found.boosted.rounds
        )
        if texts:
            # Trees learn from out-of-fold scores, but answer with those of the fitted model.
            scores = texts.scores(np.arange(len(inputs.matrix)))
            boosted = replace(boosted, inputs=problem.tree_inputs(scores))
    return Ensemble(
        width=target.width,
        linear=linear,
        linear_factor=found.linear_factor,
        boosted=boosted,
        boosted_factor=found.boosted_factor,
        texts=texts,
    )


def retry_linear(problem: Problem, found: Found, progress: Progress) -> Found:
    """Return a linear model tried again on other rows of a problem."""
    if found.linear is None:
        return found
    trial = try_linear(problem.features, problem.rows, found.linear.settings, progress)
    return _single(problem.rows.target, trial)
