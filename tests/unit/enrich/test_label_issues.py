"""Label issues: which labels are called wrong, and what is proposed instead."""

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
    """Return true labels and a good teacher's answers: mostly right, never quite sure."""
    chance = np.random.default_rng(1)
    truth = chance.integers(len(CLASSES), size=count)
    scores = chance.normal(size=(count, len(CLASSES)))
    scores[np.arange(count), truth] += 5
    odds = np.exp(scores)
    return [CLASSES[column] for column in truth], odds / odds.sum(axis=1, keepdims=True)


def flipped(labels: list[str], share: float) -> tuple[list[str], set[str]]:
    """Return labels of which a share is wrong, and the keys of those."""
    chance = np.random.default_rng(2)
    wrong = chance.choice(len(labels), size=int(share * len(labels)), replace=False)
    given = list(labels)
    for row in wrong:
        given[row] = str(chance.choice([name for name in CLASSES if name != labels[row]]))
    return given, {f"{row:04x}" for row in wrong}


def survey(
    labels: list[str],
    probabilities: NDArray[np.float64],
    classes: tuple[str, ...] = CLASSES,
    **config: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the findings about labels by key."""
    keys = [f"{row:04x}" for row in range(len(labels))]
    return LabelIssues(**config).analyse(keys, labels, classes, probabilities)


def issues(found: dict[str, Any]) -> set[str]:
    """Return the keys of labels that are called wrong."""
    return {key for key, finding in found.items() if finding["issue"]}


def sure(*columns: int) -> NDArray[np.float64]:
    """Return answers that give nine tenths to one class each."""
    return np.array([[0.9 if at == column else 0.05 for at in range(3)] for column in columns])


@pytest.mark.parametrize("filter_by", FILTERS)
def test_most_of_the_flipped_labels_are_found_and_few_others(filter_by: str) -> None:
    """By every rule; 5 % of 600 labels are wrong."""
    truth, probabilities = answers()
    given, wrong = flipped(truth, 0.05)
    found = issues(survey(given, probabilities, filter_by=filter_by))
    assert len(found & wrong) >= 0.8 * len(wrong)
    assert len(found - wrong) <= 0.01 * len(given)


def test_what_is_proposed_for_a_flipped_label_is_mostly_the_true_one() -> None:
    """The teacher's likeliest class."""
    truth, probabilities = answers()
    given, wrong = flipped(truth, 0.05)
    found = survey(given, probabilities)
    right = [found[key]["suggested"] == truth[int(key, 16)] for key in wrong]
    assert sum(right) >= 0.9 * len(wrong)


def test_the_quality_is_what_the_teacher_gave_the_label() -> None:
    """From 0 to 1, to four decimals, for every record, as plain values."""
    probabilities = np.array([[0.123456, 0.8, 0.076544], [0.1, 0.8, 0.1]])
    found = survey(["hotel", "train"], probabilities)
    assert found["0000"] == {"issue": False, "quality": 0.1235, "suggested": "train"}
    assert found["0001"] == {"issue": False, "quality": 0.8, "suggested": "train"}
    assert [type(value) for value in found["0000"].values()] == [bool, float, str]


def test_labels_that_the_teacher_agrees_with_are_no_issues() -> None:
    """A clean set stays clean."""
    labels = ["hotel", "train", "flight"] * 20
    assert issues(survey(labels, sure(*[0, 1, 2] * 20))) == set()


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("unused", CLASSES)
def test_a_class_that_no_label_uses_is_allowed(filter_by: str, unused: str) -> None:
    """Whichever it is; the flipped ones are found all the same."""
    truth, probabilities = answers()
    kept = [row for row, label in enumerate(truth) if label != unused]
    one, other = (name for name in CLASSES if name != unused)
    labels = [truth[row] for row in kept]
    labels[:20] = [other if label == one else one for label in labels[:20]]
    found = issues(survey(labels, probabilities[kept], filter_by=filter_by))
    assert len(found & {f"{row:04x}" for row in range(20)}) >= 16
    assert len(found) <= 24


def test_a_row_whose_label_is_none_of_the_classes_is_left_out() -> None:
    """The others' findings are as if it were not there."""
    truth, probabilities = answers()
    given, _ = flipped(truth, 0.05)
    alone = survey(given[1:], probabilities[1:])
    found = survey(["boat", *given[1:]], probabilities)
    assert "0000" not in found
    assert list(found.values()) == list(alone.values())


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("labels", [["train", "train"], ["train"]])
def test_fewer_than_two_classes_have_no_issues(filter_by: str, labels: list[str]) -> None:
    """There is nothing to mistake a label for."""
    found = survey(labels, sure(0, 1)[: len(labels)], filter_by=filter_by)
    assert issues(found) == set()
    assert found["0000"]["quality"] == 0.05
    assert found["0000"]["suggested"] == "hotel"


@pytest.mark.parametrize("labels", [[], ["boat", "bus"]])
def test_no_known_label_has_no_findings(labels: list[str]) -> None:
    """As before anything is labelled."""
    assert survey(labels, np.empty((len(labels), 3))) == {}


def test_the_order_of_rows_changes_nothing() -> None:
    """Each record's finding is its own."""
    truth, probabilities = answers()
    given, _ = flipped(truth, 0.05)
    expected = survey(given, probabilities)
    order = np.random.default_rng(3).permutation(len(given))
    keys = [f"{row:04x}" for row in order]
    labels = [given[row] for row in order]
    assert LabelIssues().analyse(keys, labels, CLASSES, probabilities[order]) == expected


@pytest.mark.parametrize("filter_by", ["prune", "", None])
def test_a_rule_that_cleanlab_does_not_have_is_refused(filter_by: Any) -> None:  # noqa: ANN401
    """With those that it has."""
    said = r"config\.filter_by: must be one of prune_by_noise_rate, .*low_self_confidence, not"
    with pytest.raises(EnricherError, match=said):
        LabelIssues(filter_by=filter_by)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is asked for anything, not when it is named in a spec."""
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(EnricherError) as caught:
        survey(["train"], sure(1))
    assert str(caught.value) == "label_issues needs cleanlab: pip install -r requirements-extra.txt"
