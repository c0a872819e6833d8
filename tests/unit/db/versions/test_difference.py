"""Tests of differences between two figures and their standard errors."""

from __future__ import annotations

import numpy as np
import pytest

from db.versions.difference import Parts, paired_difference, share_difference
from enrich.learning.quality.metrics import loss_rise


def test_a_paired_difference_of_means_has_the_error_that_training_uses() -> None:
    """The page and the command say the same of the same rows."""
    chance = np.random.default_rng(1)
    records = np.repeat(np.arange(30), chance.integers(1, 4, 30))
    old, new = chance.random(len(records)), chance.random(len(records))
    parts = [
        Parts(old[rows].sum(), rows.sum(), new[rows].sum(), rows.sum())
        for rows in (records == record for record in range(30))
    ]
    found = paired_difference(parts, 30)
    assert (found.change, found.error) == pytest.approx(loss_rise(old, new, records))


def test_records_that_add_nothing_need_not_be_given() -> None:
    """The recall of a rare label is made of few records."""
    parts = [Parts(1, 1, 0, 1), Parts(0, 1, 1, 1), Parts(1, 1, 1, 1)]
    nothing = [Parts(0, 0, 0, 0)] * 5
    assert paired_difference(parts, 8) == paired_difference(parts + nothing, 8)


def test_the_error_of_a_ratio_is_that_of_repeated_samples() -> None:
    """Precision has another whole in each sample."""
    chance = np.random.default_rng(2)

    def sample() -> list[Parts]:
        right, old, new = chance.random((3, 400)) < np.array([[0.5], [0.4], [0.6]])
        return [
            Parts(one and before, before, one and after, after)
            for one, before, after in zip(right, old, new, strict=True)
        ]

    found = [paired_difference(sample(), 400) for _ in range(300)]
    spread = np.std([one.change for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(("after", "is_beyond"), [(0.75, True), (0.52, False)])
def test_chance_ends_at_two_standard_errors(after: float, *, is_beyond: bool) -> None:
    """A hundred rows tell 50 % from 75 %, and not from 52 %."""
    found = share_difference(0.5, after, 100, 100)
    assert found.is_beyond_chance is is_beyond
    assert not found.is_paired


def test_one_record_and_none_have_no_error() -> None:
    """There is nothing to divide by."""
    assert paired_difference([Parts(0, 1, 1, 1)], 1).error == 0.0
    assert paired_difference([], 0).change == 0.0
