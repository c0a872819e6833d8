"""Tests of label issues: which labels are reported as wrong, and which are suggested instead."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from db.errors import EnricherError
from enrich.enrichers.label_issues import FILTERS, LabelIssues

CLASSES = ("hotel", "train", "flight")


def answers(count: int = 600) -> tuple[list[str], NDArray[np.float64]]:
    """Return true labels and the answers of a good teacher: mostly right, never certain."""
    rng = np.random.default_rng(1)
    truth = rng.integers(len(CLASSES), size=count)
    scores = rng.normal(size=(count, len(CLASSES)))
    scores[np.arange(count), truth] += 5
    odds = np.exp(scores)
    return [CLASSES[column] for column in truth], odds / odds.sum(axis=1, keepdims=True)


def flipped(labels: list[str], share: float) -> tuple[list[str], set[str]]:
    """Return the labels with a share of them wrong, and the keys of the wrong ones."""
    rng = np.random.default_rng(2)
    wrong = rng.choice(len(labels), size=int(share * len(labels)), replace=False)
    noisy = list(labels)
    for row in wrong:
        noisy[row] = str(rng.choice([name for name in CLASSES if name != labels[row]]))
    return noisy, {f"{row:04x}" for row in wrong}


def analyse(
    labels: list[str],
    probabilities: NDArray[np.float64],
    classes: tuple[str, ...] = CLASSES,
    **config: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the findings about the labels, by key."""
    keys = [f"{row:04x}" for row in range(len(labels))]
    return LabelIssues(**config).analyse(keys, labels, classes, probabilities)


def issues(findings: dict[str, Any]) -> set[str]:
    """Return the keys of the labels that are reported as wrong."""
    return {key for key, finding in findings.items() if finding["issue"]}


def confident(*columns: int) -> NDArray[np.float64]:
    """Return answers that give one class each a probability of 0.9."""
    return np.array([[0.9 if at == column else 0.05 for at in range(3)] for column in columns])


@pytest.mark.parametrize("filter_by", FILTERS)
def test_most_of_the_wrong_labels_are_found_and_few_others(filter_by: str) -> None:
    """Every rule finds them; 5 % of 600 labels are wrong."""
    truth, probabilities = answers()
    noisy, wrong = flipped(truth, 0.05)
    reported = issues(analyse(noisy, probabilities, filter_by=filter_by))
    assert len(reported & wrong) >= 0.8 * len(wrong)
    assert len(reported - wrong) <= 0.01 * len(noisy)


def test_the_suggestion_for_a_wrong_label_is_mostly_the_true_one() -> None:
    """The suggestion is the teacher's most likely class."""
    truth, probabilities = answers()
    noisy, wrong = flipped(truth, 0.05)
    findings = analyse(noisy, probabilities)
    right = [findings[key]["suggested"] == truth[int(key, 16)] for key in wrong]
    assert sum(right) >= 0.9 * len(wrong)


def test_the_quality_is_the_teachers_probability_of_the_label() -> None:
    """Each record gets one, from 0 to 1 with four decimals, as a plain Python value."""
    probabilities = np.array([[0.123456, 0.8, 0.076544], [0.1, 0.8, 0.1]])
    findings = analyse(["hotel", "train"], probabilities)
    assert findings["0000"] == {"issue": False, "quality": 0.1235, "suggested": "train"}
    assert findings["0001"] == {"issue": False, "quality": 0.8, "suggested": "train"}
    assert [type(value) for value in findings["0000"].values()] == [bool, float, str]


def test_every_row_of_a_record_counts_and_one_wrong_one_flags_it() -> None:
    """Its quality is that of the worst row, and the finding says how many rows are issues."""
    keys = [*(f"{row:04x}" for row in range(60)), "00ff", "00ff", "00ff"]
    labels = [*(("hotel", "train", "flight") * 20), "hotel", "flight", "hotel"]
    probabilities = confident(*[0, 1, 2] * 20, 0, 0, 0)
    findings = LabelIssues().analyse(keys, labels, CLASSES, probabilities)
    assert issues(findings) == {"00ff"}
    assert findings["00ff"] == {
        "issue": True,
        "quality": 0.05,
        "suggested": "hotel",
        "rows": 3,
        "issues": 1,
    }
    assert set(findings["0000"]) == {"issue", "quality", "suggested"}


def test_labels_that_the_teacher_agrees_with_are_not_issues() -> None:
    """A clean dataset stays clean."""
    labels = ["hotel", "train", "flight"] * 20
    assert issues(analyse(labels, confident(*[0, 1, 2] * 20))) == set()


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("unused", CLASSES)
def test_a_class_that_no_label_uses_is_allowed(filter_by: str, unused: str) -> None:
    """The wrong labels of the other classes are still found."""
    truth, probabilities = answers()
    rows = [row for row, label in enumerate(truth) if label != unused]
    first, second = (name for name in CLASSES if name != unused)
    labels = [truth[row] for row in rows]
    labels[:20] = [second if label == first else first for label in labels[:20]]
    reported = issues(analyse(labels, probabilities[rows], filter_by=filter_by))
    assert len(reported & {f"{row:04x}" for row in range(20)}) >= 16
    assert len(reported) <= 24


def test_a_row_with_an_unknown_label_is_left_out() -> None:
    """The findings about the other rows stay the same."""
    truth, probabilities = answers()
    noisy, _ = flipped(truth, 0.05)
    expected = analyse(noisy[1:], probabilities[1:])
    findings = analyse(["boat", *noisy[1:]], probabilities)
    assert "0000" not in findings
    assert list(findings.values()) == list(expected.values())


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("labels", [["train", "train"], ["train"]])
def test_fewer_than_two_classes_have_no_issues(filter_by: str, labels: list[str]) -> None:
    """A label cannot be mistaken for another one."""
    findings = analyse(labels, confident(0, 1)[: len(labels)], filter_by=filter_by)
    assert issues(findings) == set()
    assert findings["0000"]["quality"] == 0.05
    assert findings["0000"]["suggested"] == "hotel"


@pytest.mark.parametrize("labels", [[], ["boat", "bus"]])
def test_without_known_labels_there_are_no_findings(labels: list[str]) -> None:
    """A new dataset may have no labels."""
    assert analyse(labels, np.empty((len(labels), 3))) == {}


def test_the_order_of_rows_changes_nothing() -> None:
    """A finding belongs to its record, not to a position."""
    truth, probabilities = answers()
    noisy, _ = flipped(truth, 0.05)
    expected = analyse(noisy, probabilities)
    order = np.random.default_rng(3).permutation(len(noisy))
    keys = [f"{row:04x}" for row in order]
    labels = [noisy[row] for row in order]
    assert LabelIssues().analyse(keys, labels, CLASSES, probabilities[order]) == expected


@pytest.mark.parametrize("filter_by", ["prune", "", None])
def test_a_rule_that_cleanlab_does_not_have_is_refused(filter_by: Any) -> None:  # noqa: ANN401
    """The error lists the rules that cleanlab has."""
    message = r"config\.filter_by: must be one of prune_by_noise_rate, .*low_self_confidence, not"
    with pytest.raises(EnricherError, match=message):
        LabelIssues(filter_by=filter_by)


def test_without_cleanlab_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes at the first use, not when a spec names the enricher."""
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(EnricherError) as caught:
        analyse(["train"], confident(1))
    assert str(caught.value) == "label_issues needs cleanlab: pip install -r requirements-extra.txt"
