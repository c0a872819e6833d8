"""Tests of conformal intervals: they hold the truth of nine in ten new rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from db.scoring.interval import Interval
from enrich.learning.quality.conformal import (
    coverage_of,
    ends_of,
    fit_interval,
    held_out_coverage,
    interval_score,
)

Array = np.ndarray
# The noise of a number by its prediction: how large one standard deviation is.
CONSTANT: Callable[[Array], Array] = np.ones_like
GROWING: Callable[[Array], Array] = lambda predictions: 0.2 + predictions  # noqa: E731


def simulated(
    deviation: Callable[[Array], Array], rows: int, seed: int, shape: str = "normal"
) -> tuple[Array, Array]:
    """Return predictions, and truths around them."""
    chance = np.random.default_rng(seed)
    predictions = chance.uniform(0, 10, rows)
    # The mean of the noise is zero, as that of the errors of a model is.
    skewed = chance.exponential(1, rows) - 1
    noise = chance.standard_normal(rows) if shape == "normal" else skewed
    return predictions, predictions + deviation(predictions) * noise


@pytest.mark.parametrize("deviation", [CONSTANT, GROWING])
@pytest.mark.parametrize("shape", ["normal", "skewed"])
def test_intervals_hold_the_truth_of_nine_in_ten_new_rows(
    deviation: Callable[[Array], Array], shape: str
) -> None:
    """Whatever the distribution of the noise is, and whether or not it grows."""
    interval = fit_interval(*simulated(deviation, 3000, 1, shape))
    predictions, truth = simulated(deviation, 100_000, 2, shape)
    assert 0.88 < coverage_of(interval, predictions, truth) < 0.92
    low, high = ends_of(interval, predictions)
    for missed in (truth < low, truth > high):
        assert 0.03 < missed.mean() < 0.07


def test_intervals_of_growing_noise_are_wider_where_the_noise_is() -> None:
    """Small and large predictions are covered alike."""
    interval = fit_interval(*simulated(GROWING, 3000, 3))
    assert len(interval.edges) > 1
    predictions, truth = simulated(GROWING, 100_000, 4)
    low, high = ends_of(interval, predictions)
    is_small, is_large = predictions < 2, predictions > 8
    assert (high - low)[is_large].mean() > 3 * (high - low)[is_small].mean()
    for some in (is_small, is_large):
        assert 0.86 < coverage_of(interval, predictions[some], truth[some]) < 0.94


def test_intervals_of_constant_noise_are_the_same_everywhere() -> None:
    """Groups would only add chance."""
    for seed in range(5):
        interval = fit_interval(*simulated(CONSTANT, 600, seed))
        assert interval.edges == []
        assert interval.below[0] == pytest.approx(-1.645, abs=0.25)
        assert interval.above[0] == pytest.approx(1.645, abs=0.25)


@pytest.mark.parametrize("rows", [1, 2, 5, 19])
def test_few_rows_have_the_widest_interval_that_they_allow(rows: int) -> None:
    """It holds all of them."""
    predictions, truth = simulated(CONSTANT, rows, 7)
    assert coverage_of(fit_interval(predictions, truth), predictions, truth) == 1


def test_intervals_of_twenty_rows_still_hold_nine_in_ten_on_average() -> None:
    """Their ends are those of single rows, so that they differ from table to table."""
    covered = []
    for seed in range(200):
        interval = fit_interval(*simulated(CONSTANT, 39, seed))
        covered.append(coverage_of(interval, *simulated(CONSTANT, 2000, 1000 + seed)))
    assert 0.88 < np.mean(covered) < 0.92


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_interval_holds_its_own_prediction(sign: float) -> None:
    """Even where all errors have the same sign, in one group of predictions or in all."""
    chance = np.random.default_rng(9)
    predictions = chance.uniform(0, 10, 2000)
    errors = sign * chance.exponential(1, 2000)
    for truth in (predictions + errors, predictions + errors * (predictions > 5) * predictions):
        interval = fit_interval(predictions, truth)
        low, high = ends_of(interval, predictions)
        assert ((low <= predictions) & (predictions <= high)).all()
        assert coverage_of(interval, predictions, truth) >= 0.9


def test_held_out_coverage_is_that_of_new_rows() -> None:
    """Intervals hold more of the rows that they were fitted on, the more so if these are few."""
    own, held_out, new = [], [], []
    for seed in range(200):
        rows = simulated(CONSTANT, 19, seed)
        own.append(coverage_of(fit_interval(*rows), *rows))
        held_out.append(held_out_coverage(*rows))
        half = fit_interval(*simulated(CONSTANT, 10, 3000 + seed))
        new.append(coverage_of(half, *simulated(CONSTANT, 1000, 1000 + seed)))
    assert np.mean(own) == 1
    assert np.mean(held_out) == pytest.approx(np.mean(new), abs=0.02)
    assert np.mean(held_out) < 0.9


def test_equal_predictions_have_one_interval() -> None:
    """There is nothing to group by."""
    truth = np.random.default_rng(8).standard_normal(1000)
    interval = fit_interval(np.zeros(1000), truth)
    assert coverage_of(interval, np.zeros(1000), truth) == pytest.approx(0.9, abs=0.01)
    assert interval.around(0.0) == pytest.approx((-1.645, 1.645), abs=0.2)


def test_a_prediction_is_in_the_same_group_in_training_and_in_answers() -> None:
    """A prediction on the edge between two groups belongs to the upper one."""
    interval = Interval(coverage=0.9, edges=[2.0, 4.0], below=[-1, -2, -3], above=[1, 2, 3])
    predictions = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    ends = np.column_stack(ends_of(interval, predictions)).tolist()
    assert ends == [list(interval.around(one)) for one in predictions.tolist()]
    assert ends[1] == [0, 4]


def test_an_interval_is_judged_by_its_width_and_by_the_truths_outside() -> None:
    """A truth that is missed by one costs twenty."""
    interval = Interval(coverage=0.9, edges=[], below=[-1.0], above=[1.0])
    truth = np.array([0.5, -2.0, 1.0, 2.0])
    assert interval_score(interval, np.zeros(4), truth) == pytest.approx(2 + (20 + 20) / 4)
