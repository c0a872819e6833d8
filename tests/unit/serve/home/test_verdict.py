"""Tests of the verdict on a model in a few words."""

from __future__ import annotations

import pytest

from serve.pages.home.dataset_counts import labels_since
from serve.pages.home.verdict import Verdict, verdict_of


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        ({}, Verdict()),
        (
            {"teacher": {"accuracy": 0.824}, "baseline": {"accuracy": 0.16}},
            Verdict("82 % right", "16 %"),
        ),
        (
            {"teacher": {"mae": 311.6, "rmse": 400.0}, "baseline": {"mae": 1204.2}},
            Verdict("Typically off by 312", "1,204"),
        ),
        ({"teacher": {"rmse": 0.0312}, "baseline": {}}, Verdict("Typically off by 0.0312", "")),
    ],
)
def test_the_verdict_says_how_often_a_model_is_right_or_by_how_much_it_is_off(
    metrics: dict[str, object], verdict: Verdict
) -> None:
    """It has the figure of guessing where that was measured."""
    assert verdict_of(metrics) == verdict


def test_labels_since_the_training_are_those_beyond_all_rows_of_then() -> None:
    """Training may have read a sample; metrics of old releases have only what it read."""
    assert labels_since(130, {"rows": 50, "all_rows": 100}) == 30
    assert labels_since(130, {"rows": 120}) == 10
    assert labels_since(90, {"rows": 100}) == 0
    assert labels_since(90, {}) == 0
