"""Tests of calibration: probabilities that are as large as answers are often right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from enrich.learning.quality.calibration import (
    MOST_FACTOR,
    calibration_error,
    fit_temperature,
    log_losses,
)

ROWS = 5000


def true_scores(seed: int, width: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return scores whose probabilities are fair, and labels drawn by them."""
    chance = np.random.default_rng(seed)
    scores = 2 * chance.standard_normal((ROWS, width))
    cumulated = softmax(scores, axis=1).cumsum(axis=1)
    labels = (cumulated < chance.random((ROWS, 1))).sum(axis=1)
    return scores, np.minimum(labels, width - 1)


@pytest.mark.parametrize("factor", [0.2, 1.0, 4.0, 10.0])
@pytest.mark.parametrize("width", [2, 3, 8])
def test_one_factor_restores_the_probabilities_of_scores(factor: float, width: int) -> None:
    """Of scores that are too certain, and of those that are not certain enough."""
    scores, labels = true_scores(1, width)
    found = fit_temperature(factor * scores, labels, np.ones(ROWS))
    assert found == pytest.approx(1 / factor, rel=0.07)
    before, after = (
        calibration_error(softmax(one * factor * scores, axis=1), labels) for one in (1, found)
    )
    assert after < 0.02
    assert factor == 1 or after < before / 3


def test_a_row_that_weighs_twice_counts_twice() -> None:
    """Equal rows are one item."""
    scores, labels = true_scores(2)
    weights = np.random.default_rng(3).integers(1, 4, ROWS)
    repeated = fit_temperature(
        3 * scores.repeat(weights, axis=0), labels.repeat(weights), np.ones(weights.sum())
    )
    weighted = fit_temperature(3 * scores, labels, weights.astype(float))
    assert weighted == pytest.approx(repeated, rel=0.01)


@pytest.mark.parametrize("rows", [20, 1000])
def test_scores_without_an_error_do_not_become_certain(rows: int) -> None:
    """The next row may be the first error; more rows without one allow more certainty."""
    labels = np.arange(rows) % 2
    scores = np.where(labels[:, None] == np.arange(2), 1.0, -1.0)
    factor = fit_temperature(scores, labels, np.ones(rows))
    surest = softmax(factor * scores, axis=1).max()
    assert 1 - 2 / rows < surest < 1 - 0.2 / rows
    assert factor < MOST_FACTOR


def test_scores_that_say_nothing_become_even() -> None:
    """A factor near zero makes all labels equally likely."""
    chance = np.random.default_rng(4)
    scores, labels = 5 * chance.standard_normal((ROWS, 2)), chance.integers(0, 2, ROWS)
    probabilities = softmax(fit_temperature(scores, labels, np.ones(ROWS)) * scores, axis=1)
    assert probabilities.max(axis=1).mean() < 0.6


def test_without_rows_scores_are_left_as_they_are() -> None:
    """There may be no row whose label other folds have."""
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=int), np.zeros(0)) == 1


def test_the_calibration_error_is_the_gap_between_certainty_and_right_answers() -> None:
    """Of ten answers with .95 eight are right, of ten with .55 six."""
    probabilities = np.array([[0.95, 0.05]] * 10 + [[0.45, 0.55]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [1] * 6 + [0] * 4)
    assert calibration_error(probabilities, labels) == pytest.approx((0.15 + 0.05) / 2)


def test_a_certain_and_right_answer_has_no_calibration_error() -> None:
    """A probability of 1 belongs to the last group."""
    assert calibration_error(np.array([[1.0, 0.0]] * 3), np.zeros(3, dtype=int)) == 0


def test_errors_in_both_directions_do_not_cancel_between_groups() -> None:
    """One group is too certain, another not certain enough."""
    probabilities = np.array([[0.95, 0.05]] * 10 + [[0.65, 0.35]] * 10)
    labels = np.array([0] * 6 + [1] * 4 + [0] * 10)
    assert calibration_error(probabilities, labels) == pytest.approx(0.35)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_loss_of_a_probability_is_finite(chances: list[float]) -> None:
    """Also that of an impossible label, and of one that is not known."""
    probabilities = np.array([[one, 1 - one] for one in chances])
    labels = np.arange(len(chances)) % 3 - 1
    losses = log_losses(probabilities, labels)
    assert np.isfinite(losses).all()
    assert (losses >= 0).all()
    assert (losses[labels < 0] == losses.max()).all()
