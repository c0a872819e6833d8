"""Tests of the promotion decision: whether a new model is activated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from enrich.learning.cross_validation import OutOfFold
from enrich.learning.promotion import decide_promotion

LABELS = ["big", "small"]
ROWS = 200
TRUTH = [LABELS[at % 2] for at in range(ROWS)]
WRONG = [LABELS[1 - at % 2] for at in range(ROWS)]


def key(at: int) -> bytes:
    """Return the key of a row."""
    return at.to_bytes(16, "big")


def truth(labels: Sequence[object], first: int = 0) -> list[tuple[bytes, object]]:
    """Return the key and the label of each row."""
    return [(key(first + at), label) for at, label in enumerate(labels)]


def names(teacher: Sequence[str], student: Sequence[str] | None = None) -> OutOfFold:
    """Return answers of a classification; the student's are the teacher's by default."""
    return OutOfFold(
        labels=LABELS,
        keys=b"".join(map(key, range(len(teacher)))),
        teacher=one_hot(teacher),
        student=one_hot(student or teacher),
    )


def one_hot(answers: Sequence[str]) -> bytes:
    """Return a row of probabilities for each answer."""
    rows = [[0.9 if name == answer else 0.1 for name in LABELS] for answer in answers]
    return np.array(rows, dtype="<f4").tobytes()


def numbers(teacher: Sequence[float], student: Sequence[float] | None = None) -> OutOfFold:
    """Return answers of a regression."""
    return OutOfFold(
        labels=[],
        keys=b"".join(map(key, range(len(teacher)))),
        teacher=np.array(teacher, dtype="<f8").tobytes(),
        student=np.array(student or teacher, dtype="<f8").tobytes(),
    )


def with_errors(count: int) -> list[str]:
    """Return answers of which the first `count` are wrong."""
    return [*WRONG[:count], *TRUTH[count:]]


def test_the_first_model_is_activated() -> None:
    """Its quality does not matter."""
    decision = decide_promotion(None, names(WRONG), truth(TRUTH))
    assert decision.active
    assert decision.reason == "there is no other model to compare with"


def test_a_model_with_other_labels_is_activated() -> None:
    """The old one does not know the new label."""
    old = OutOfFold(labels=["big", "huge", "small"], keys=b"", teacher=b"", student=b"")
    decision = decide_promotion(old, names(WRONG), truth(TRUTH))
    assert decision.active
    assert decision.reason == "the set of labels has changed"


@pytest.mark.parametrize("common", [0, 9])
def test_models_with_few_common_rows_are_not_compared(common: int) -> None:
    """Chance would decide."""
    decision = decide_promotion(names(TRUTH), names(WRONG), truth(TRUTH[:common]))
    assert decision.active
    assert decision.reason == "fewer than 10 rows in common with the active model"


def test_ten_common_rows_are_enough_to_compare() -> None:
    """All ten answers of the new model are wrong."""
    assert not decide_promotion(names(TRUTH), names(WRONG), truth(TRUTH[:10])).active


def test_the_same_answers_are_not_worse() -> None:
    """A model trained again on the same records is activated."""
    decision = decide_promotion(names(with_errors(20)), names(with_errors(20)), truth(TRUTH))
    assert decision.active
    assert decision.reason == "not worse on 200 rows"


@pytest.mark.parametrize(("worse", "teacher", "student"), [("teacher", 60, 0), ("student", 0, 60)])
def test_a_model_is_refused_if_either_half_is_worse(worse: str, teacher: int, student: int) -> None:
    """The reason names the worse half."""
    new = names(with_errors(teacher), with_errors(student))
    decision = decide_promotion(names(with_errors(10)), new, truth(TRUTH))
    assert not decision.active
    assert decision.reason == f"its {worse} is worse on 200 rows"


def test_a_better_model_is_activated() -> None:
    """It is wrong on 10 rows, the active one on 60."""
    assert decide_promotion(names(with_errors(60)), names(with_errors(10)), truth(TRUTH)).active


def test_one_more_wrong_answer_is_within_chance() -> None:
    """One standard error is allowed."""
    old, new = with_errors(20), with_errors(20)
    new[50], old[100], old[150] = WRONG[50], WRONG[100], WRONG[150]
    new[101], new[151] = WRONG[101], WRONG[151]
    assert decide_promotion(names(old), names(new), truth(TRUTH)).active


def test_the_current_labels_decide() -> None:
    """A record whose label was corrected counts with its new label."""
    assert not decide_promotion(names(TRUTH), names(WRONG), truth(TRUTH)).active
    assert decide_promotion(names(TRUTH), names(WRONG), truth(WRONG)).active


def test_only_records_that_both_answered_and_that_have_a_label_count() -> None:
    """Records that only the new model answered are not compared."""
    old, new = names(TRUTH[:100]), names([*TRUTH[:100], *WRONG[100:]])
    decision = decide_promotion(old, new, truth(TRUTH))
    assert decision.active
    assert decision.reason == "not worse on 100 rows"
    assert decide_promotion(
        names(TRUTH), names(with_errors(100)), truth(TRUTH[100:], first=100)
    ).active


def test_each_row_of_a_record_counts() -> None:
    """A hundred rows of one record weigh more than one row of each of nine others."""
    old, new = names([*WRONG[:1], *TRUTH[1:10]]), names([*TRUTH[:1], *WRONG[1:10]])
    rows = [(key(0), TRUTH[0])] * 100 + truth(TRUTH[1:10], first=1)
    decision = decide_promotion(old, new, rows)
    assert decision.active
    assert decision.reason == "not worse on 109 rows"
    assert not decide_promotion(old, new, truth(TRUTH[:10])).active


def test_numbers_are_compared_by_their_squared_error() -> None:
    """The rule holds for the teacher and for the student."""
    right = [float(at) for at in range(ROWS)]
    near = [number + (-1) ** at for at, number in enumerate(right)]
    far = [number + 3 for number in near]
    assert decide_promotion(numbers(far), numbers(near), truth(right)).active
    assert decide_promotion(numbers(near), numbers(near), truth(right)).active
    refused = decide_promotion(numbers(near), numbers(near, far), truth(right))
    assert not refused.active
    assert refused.reason == "its student is worse on 200 rows"
