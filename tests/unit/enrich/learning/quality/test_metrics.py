"""Metrics, the comparison of two models, and out-of-fold answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier, DummyRegressor

from enrich.learning.quality.metrics import (
    classification_report,
    is_worse,
    loss_rise,
    regression_report,
)
from enrich.learning.quality.out_of_fold import (
    OutOfFold,
    decode_out_of_fold,
    encode_out_of_fold,
    losses_of,
    pack_answers,
)
from enrich.learning.teacher import answer

NAMES = ["big", "huge", "small"]
TRUTH = np.array(["big", "big", "big", "small", "small", "big"])
ANSWERS = np.array(["big", "big", "small", "small", "big", "big"])


def test_a_classification_report_counts_right_answers() -> None:
    """Four of six are right; a label without rows scores 0."""
    report = classification_report(TRUTH, ANSWERS, NAMES)
    assert report["rows"] == 6
    assert report["accuracy"] == pytest.approx(4 / 6)
    assert report["micro"] == pytest.approx({"precision": 4 / 6, "recall": 4 / 6, "f1": 4 / 6})
    assert report["labels"] == {
        "big": pytest.approx({"precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4, "rows": 4}),
        "huge": {"precision": 0, "recall": 0, "f1": 0, "rows": 0},
        "small": pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "rows": 2}),
    }
    assert report["macro"]["f1"] == pytest.approx((3 / 4 + 0 + 1 / 2) / 3)


def test_the_confusion_has_a_row_for_each_true_label() -> None:
    """It has a column for each answer, in the order of the labels."""
    confusion = classification_report(TRUTH, ANSWERS, NAMES)["confusion"]
    assert confusion == [[3, 0, 1], [0, 0, 0], [1, 0, 1]]


def test_a_regression_is_reported_by_its_squared_error() -> None:
    """Errors of 1, 1 and 2 around a truth that varies by 2/3."""
    report = regression_report(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 5.0]))
    assert report == pytest.approx(
        {"mse": 2.0, "rmse": 2**0.5, "mae": 4 / 3, "r2": 1 - 6 / 2, "rows": 3}
    )


def test_the_rise_of_a_loss_has_the_standard_error_of_a_mean() -> None:
    """The losses are paired row by row."""
    rise, error = loss_rise(np.zeros(4), np.array([1.0, 0.0, 1.0, 0.0]), np.arange(4))
    assert rise == pytest.approx(0.5)
    assert error == pytest.approx((1 / 3) ** 0.5 / 2)


def test_rows_of_the_same_record_are_no_further_evidence() -> None:
    """However often a record is repeated, the standard error is that of its mean rise."""
    records = np.array([0, 1, 2, 3])
    once = loss_rise(np.zeros(4), np.array([1.0, 0.0, 1.0, 0.0]), records)
    often = loss_rise(np.zeros(400), np.repeat([1.0, 0.0, 1.0, 0.0], 100), np.repeat(records, 100))
    assert often == pytest.approx(once)
    assert loss_rise(np.zeros(3), np.array([1.0, 2.0, 3.0]), np.zeros(3, dtype=int)) == (2, 0)


def test_a_record_with_many_rows_does_not_make_a_model_worse_alone() -> None:
    """Thirty rows are worse, and all are the same passenger."""
    old, new = np.zeros(60), np.r_[np.full(30, 0.5), np.full(30, -0.3)]
    assert not is_worse(old, new, np.r_[np.zeros(30, dtype=int), np.arange(1, 31)])
    assert is_worse(old, new, np.arange(60))


def test_the_same_losses_are_neither_worse_nor_better() -> None:
    """Answers that are both wrong do not differ."""
    losses = np.arange(20.0)
    assert loss_rise(losses, losses, np.arange(20)) == (0, 0)
    assert not is_worse(losses, losses, np.arange(20))


@pytest.mark.parametrize(
    ("new", "worse"),
    [
        # Rises of ¼ and ½ in the mean, with standard errors of 0.48 and 0.29.
        ([1, 1, 0, 0], False),
        ([1, 1, 0, 1], True),
    ],
)
def test_worse_means_by_more_than_one_standard_error(new: list[int], *, worse: bool) -> None:
    """A smaller rise may be chance."""
    assert is_worse(np.array([0, 0, 0, 1]), np.array(new), np.arange(4)) is worse


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.floats(0.5, 10))
def test_numbers_that_are_all_farther_off_are_worse(truth: list[float], by: float) -> None:
    """All are off by the same amount, so the standard error is 0."""
    labels = np.array(truth)
    right, wrong = (losses_of((labels + off).reshape(-1, 1), labels, []) for off in (0.0, by))
    assert is_worse(right, wrong, np.arange(len(truth)))
    assert not is_worse(wrong, right, np.arange(len(truth)))


def test_the_loss_of_a_label_is_minus_the_logarithm_of_its_probability() -> None:
    """One that the model does not know, or held impossible, counts as the least likely one."""
    rows = np.array([[0.5, 0.5], [0.9, 0.1], [1.0, 0.0], [0.3, 0.7]])
    truth = np.array(["big", "small", "small", "huge"])
    losses = losses_of(rows, truth, ["big", "small"])
    least = np.log(1e6)
    assert losses == pytest.approx([np.log(2), np.log(10), least, least])


def out_of_fold(labels: list[str], teacher: list[float], student: list[float]) -> OutOfFold:
    """Return answers to two rows."""
    keys = [b"a" * 16, b"b" * 16]
    return pack_answers(labels, keys, np.array(teacher), np.array(student))


def test_answers_out_of_fold_are_the_most_likely_labels_by_key() -> None:
    """Teacher and student have separate answers."""
    stored = out_of_fold(["big", "small"], [0.9, 0.1, 0.2, 0.8], [0.4, 0.6, 0.3, 0.7])
    assert stored.answers("teacher") == {b"a" * 16: "big", b"b" * 16: "small"}
    assert stored.answers("student") == {b"a" * 16: "small", b"b" * 16: "small"}


def test_answers_out_of_fold_of_a_regression_are_numbers_by_key() -> None:
    """Every digit is kept."""
    stored = out_of_fold([], [1.5, -2.0], [0.25, 1e6])
    assert stored.answers("teacher") == {b"a" * 16: 1.5, b"b" * 16: -2.0}
    assert stored.answers("student") == {b"a" * 16: 0.25, b"b" * 16: 1e6}


def test_answers_out_of_fold_read_back_as_they_were_stored() -> None:
    """The next model is compared with them."""
    stored = out_of_fold(["big", "small"], [0.9, 0.1, 0.2, 0.8], [0.4, 0.6, 0.3, 0.7])
    assert decode_out_of_fold(encode_out_of_fold(stored)) == stored


def test_a_label_that_a_model_never_saw_has_no_probability() -> None:
    """Four folds may lack a rare label; the columns keep their order."""
    rows = np.zeros((4, 1))
    model = DummyClassifier(strategy="prior").fit(rows, ["small", "small", "big", "small"])
    assert answer(model, rows[:1], NAMES).tolist() == [[0.25, 0.0, 0.75]]


def test_a_regression_answers_one_number_a_row() -> None:
    """The numbers are a column, as probabilities are several columns."""
    rows = np.zeros((3, 1))
    model = DummyRegressor().fit(rows, [1.0, 2.0, 6.0])
    assert answer(model, rows[:2], []).tolist() == [[3.0], [3.0]]
