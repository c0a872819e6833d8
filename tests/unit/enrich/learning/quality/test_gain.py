"""Tests of how much better a new model is said to be."""

from __future__ import annotations

import numpy as np

from enrich.learning.quality.gain import describe_gains, measure_gain

LABELS = ["big", "small"]
BIG, SMALL = [1.0, 0.0], [0.0, 1.0]


def test_a_gain_in_accuracy_has_the_standard_error_of_the_difference() -> None:
    """Of four rows, two right answers become three: the changes are 0, 0, 0 and 1."""
    before = np.array([BIG, BIG, SMALL, SMALL])
    after = np.array([BIG, BIG, SMALL, BIG])
    truth = np.array(["big", "small", "small", "big"])
    gain = measure_gain(before, after, truth, LABELS, np.arange(4))
    assert describe_gains({"teacher": gain, "student": gain}) == (
        "accuracy 0.500 → 0.750 (+0.250 ± 0.250)"
    )


def test_a_gain_in_numbers_is_that_of_the_mean_error() -> None:
    """Less is better, so the sign of a better model is a minus."""
    truth = np.array([1000.0, 2000.0])
    before, after = np.array([[1100.0], [2100.0]]), np.array([[1050.0], [2050.0]])
    gain = measure_gain(before, after, truth, [], np.arange(2))
    same = measure_gain(before, before, truth, [], np.arange(2))
    assert describe_gains({"teacher": gain, "student": same}) == (
        "teacher mean error 100 → 50 (−50 ± 0), student 100 → 100 (+0 ± 0)"
    )
