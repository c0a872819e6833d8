"""Tests of rare labels: which ones are rare, and from which probability on to act on them."""

from __future__ import annotations

import numpy as np
import pytest

from enrich.learning.quality.rare_labels import find_thresholds


@pytest.mark.parametrize("labels", [2, 3, 6, 20])
def test_labels_with_even_shares_are_not_rare(labels: int) -> None:
    """Of twenty labels each has a twentieth of the rows, and is as often the answer."""
    truth = np.arange(50 * labels) % labels
    probabilities = np.full((len(truth), labels), 1 / labels)
    assert find_thresholds(probabilities, truth, [f"l{at}" for at in range(labels)]) == {}


@pytest.mark.parametrize(("labels", "rare", "found"), [(2, 39, 1), (2, 60, 0), (9, 15, 0)])
def test_a_label_with_half_of_an_even_share_is_rare(labels: int, rare: int, found: int) -> None:
    """Of few labels one with a fifth is; of fewer than twenty rows nothing is said."""
    others = 1 + np.arange(200) % (labels - 1)
    truth = np.r_[np.zeros(rare, dtype=int), others]
    probabilities = np.full((len(truth), labels), 1 / labels)
    names = [f"l{at}" for at in range(labels)]
    assert len(find_thresholds(probabilities, truth, names)) == found


def test_the_threshold_has_the_best_f1_of_a_rare_label() -> None:
    """Of the thirty rows from 0.3 on, twenty-four are late; all but one of the late ones."""
    truth = np.r_[np.ones(25, dtype=int), np.zeros(275, dtype=int)]
    late = np.r_[np.full(24, 0.3), 0.01, np.full(6, 0.3), np.full(269, 0.02)]
    found = find_thresholds(np.column_stack([1 - late, late]), truth, ["in time", "late"])
    assert found == {
        "late": {
            "threshold": pytest.approx(0.3),
            "precision": pytest.approx(24 / 30),
            "recall": pytest.approx(24 / 25),
        }
    }
