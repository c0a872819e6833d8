"""Tests of the sample of a target: fair, and with all items of rare labels."""

from __future__ import annotations

import numpy as np

from enrich.learning.portable.target import RARE_ITEMS, Target, make_target


def target_of(*counts: int) -> Target:
    """Return a target with so many items of each label, each of a record of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    return make_target(np.arange(len(labels)), labels, len(counts), is_number=False)


def test_a_sample_keeps_all_items_of_rare_labels() -> None:
    """Three frauds among ten thousand payments would most often not be in a sample of a hundred."""
    sample = target_of(10_000, 3, RARE_ITEMS - 1).sample(300)
    counts = np.bincount(sample.labels).tolist()
    assert counts == [300 - 3 - (RARE_ITEMS - 1), 3, RARE_ITEMS - 1]
    assert len(set(sample.records.tolist())) == 300


def test_a_sample_is_fair_to_all_other_labels() -> None:
    """Three quarters of the items stay three quarters, wherever they are in the file."""
    sample = target_of(30_000, 10_000).sample(4000)
    assert len(sample) == 4000
    assert 2850 < np.sum(sample.labels == 0) < 3150
    assert 14_000 < np.median(sample.records[sample.labels == 0]) < 16_000


def test_a_sample_of_numbers_is_fair() -> None:
    """No number is rare."""
    numbers = make_target(np.arange(10_000), np.arange(10_000.0), 1, is_number=True)
    sample = numbers.sample(1000)
    assert len(sample) == 1000
    assert 4500 < sample.labels.mean() < 5500


def test_a_target_that_is_small_enough_is_its_own_sample() -> None:
    """Also where all labels are rare, and there are too many of them."""
    target = target_of(5, 5, 5)
    assert target.sample(15) is target
    assert len(target.sample(14)) == 14
