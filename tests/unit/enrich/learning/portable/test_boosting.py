"""Tests of boosted trees: which rows have weights, and that leaving weights out changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from enrich.learning.portable import boosting
from enrich.learning.portable.boosting import BoostedModel, TreeInputs, fit_boosting
from enrich.learning.portable.features import ChoiceFeatures, NumberFeatures
from enrich.learning.portable.settings import BOOSTING
from enrich.learning.portable.target import Target

ROWS, HELD_OUT = 700, 140


def fit(weights: list[float], classes: int) -> tuple[BoostedModel, Any]:
    """Fit trees on rows with missing numbers, with rows held out; return them and their losses."""
    source = np.random.default_rng(1)
    numbers = source.normal(0, 5, (ROWS, 3))
    score = numbers[:, 0] * np.sign(numbers[:, 1])
    numbers[source.random(numbers.shape) < 0.05] = np.nan
    labels = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    choices = ChoiceFeatures("kind", list("abcd"), source.integers(0, 4, ROWS).astype(np.int32))
    columns = [NumberFeatures(f"c{at}", numbers[:, at]) for at in range(3)]
    target = Target(
        records=np.arange(ROWS),
        labels=labels if classes > 1 else score / score.std(),
        weights=np.resize(weights, ROWS),
        width=classes,
        is_number=classes == 1,
    )
    held_out = target.only(np.arange(ROWS) < HELD_OUT)
    learned = target.only(np.arange(ROWS) >= HELD_OUT)
    return fit_boosting(TreeInputs([*columns, choices]), learned, BOOSTING[1], held_out=held_out)


def is_same(one: tuple[BoostedModel, Any], other: tuple[BoostedModel, Any]) -> bool:
    """Return whether two fits have the same losses and answers, bit by bit."""
    mine, theirs = (model.scores(np.arange(ROWS)) for model, _ in (one, other))
    return np.array_equal(mine, theirs) and np.array_equal(one[1], other[1])


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_weights_of_one_make_the_same_trees_as_no_weights(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are left out because scikit-learn takes longer with them, and for no other reason."""
    without = fit([1.0], classes)
    monkeypatch.setattr(boosting, "MOST_BINNED", 0)
    assert is_same(without, fit([1.0], classes))


def test_weights_that_differ_from_one_count() -> None:
    """Rows that repeat a record weigh more, even if all of them repeat equally often."""
    assert not is_same(fit([1.0], 1), fit([1.0, 3.0], 1))
    assert not is_same(fit([1.0], 1), fit([2.0], 1))
