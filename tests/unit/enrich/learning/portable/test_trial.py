"""Tests of trials: folds, samples, and how many rounds of boosting are made."""

from __future__ import annotations

import numpy as np
import pytest

from enrich.learning.portable.target import make_target
from enrich.learning.portable.trial import (
    LabelledRows,
    best_round,
)


@pytest.mark.parametrize(
    ("curves", "sizes", "best"),
    [
        # The first number is the loss without any tree.
        ([[9, 5, 3, 4]], [1], 2),
        ([[1, 2, 3]], [1], 1),
        # One that ended goes on with its last loss.
        ([[9, 5, 4], [9, 8, 7, 8, 7]], [1, 1], 2),
        ([[9, 5, 4], [9, 8, 7, 6, 5, 6]], [1, 1], 4),
        # Folds of more rows count more.
        ([[9, 1, 5], [9, 5, 1]], [10, 1], 1),
        ([[9, 1, 5], [9, 5, 1]], [1, 10], 2),
        # A fold in which nothing could be fitted has no say.
        ([[0, 0], [9, 5, 3, 4]], [1, 1], 2),
    ],
)
def test_the_number_of_rounds_has_the_least_loss_over_all_folds(
    curves: list[list[float]], sizes: list[float], best: int
) -> None:
    """At least one round is made."""
    assert best_round([np.array(curve, dtype=float) for curve in curves], sizes) == best


def rows_of(records: int) -> LabelledRows:
    """Return two rows for each record, in five folds."""
    target = make_target(
        np.repeat(np.arange(records), 2), np.arange(2.0 * records), 1, is_number=True
    )
    return LabelledRows(target, np.arange(records) % 5)


def test_each_fold_is_learnt_from_all_others() -> None:
    """The records to answer are those that are held out."""
    answered = set()
    for train, held_out, records in rows_of(30).each_fold():
        assert not set(train.records) & set(held_out.records)
        assert len(train) + len(held_out) == 60
        assert set(held_out.records) == set(records)
        answered |= set(records.tolist())
    assert answered == set(range(30))


def test_a_sample_has_so_many_records_and_never_learns_from_others() -> None:
    """All rows of a record are in it, or none."""
    sample = rows_of(100).sample(30)
    assert sample.records == 30
    assert len(sample.target) == 60
    seen = [set(train.records) | set(held_out.records) for train, held_out, _ in sample.each_fold()]
    assert all(records == set(np.flatnonzero(sample.folds >= 0)) for records in seen)
    assert rows_of(100).sample(100).records == 100
