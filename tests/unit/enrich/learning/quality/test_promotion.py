"""Tests of the promotion decision: whether a new model is activated."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import pytest

from enrich.learning.quality.metrics import classification_report
from enrich.learning.quality.out_of_fold import OutOfFold, decode_out_of_fold
from enrich.learning.quality.promotion import decide_promotion

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
    """It is wrong on 10 rows, the active one on 60; the decision says what that gains."""
    decision = decide_promotion(names(with_errors(60)), names(with_errors(10)), truth(TRUTH))
    assert decision.active
    assert decision.gain == "accuracy 0.700 → 0.950 (+0.250 ± 0.031)"


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


def odds(high: Sequence[float]) -> OutOfFold:
    """Return answers of a classification by the probability of the label big."""
    rows = np.array([(one, 1 - one) for one in high], dtype="<f4").tobytes()
    keys = b"".join(map(key, range(len(high))))
    return OutOfFold(labels=LABELS, keys=keys, teacher=rows, student=rows)


def macro_f1(answers: OutOfFold, labels: Sequence[str]) -> float:
    """Return macro-F1 of the teacher."""
    named = np.array(list(answers.answers("teacher").values()))
    return float(classification_report(np.array(labels), named, LABELS)["macro"]["f1"])


def test_worse_probabilities_are_refused_even_if_more_answers_are_right() -> None:
    """People act on probabilities: wrong answers must not have probabilities near 1."""
    labels = ["small" if at % 10 == 0 else "big" for at in range(ROWS)]
    # The old one never answers small, but knows how likely it is.
    old = odds([0.6 if label == "small" else 0.92 for label in labels])
    sure = [0.0001 if label == "small" else 0.9999 for label in labels]
    new = odds([1 - one if at % 20 == 3 else one for at, one in enumerate(sure)])
    assert macro_f1(new, labels) > macro_f1(old, labels) + 0.2
    refused = decide_promotion(old, new, truth(labels))
    assert not refused.active
    assert refused.reason == "its teacher is worse on 200 rows"
    assert decide_promotion(new, old, truth(labels)).active


def test_one_certain_error_does_not_refuse_a_better_model() -> None:
    """A probability of zero counts as a very small one."""
    old = odds([0.7 if label == "big" else 0.3 for label in TRUTH])
    new = odds([0.0, *([0.99 if label == "big" else 0.01 for label in TRUTH][1:])])
    assert decide_promotion(old, new, truth(TRUTH)).active


# Answers to twelve rows, encoded by the code that chose models by macro-F1.
OLD_LABELS = (
    "eJxrWZaTmJSaUzxpcVJm+tLi3MScnCXZqZXFRw4w4AeMaHwmND4zGp8Fjc+KxmdD47Oj8TnQ+JxofC40PvfyktTE"
    "5IzUoiMJZ8/42AOxHRTbU5u/vLikNCU1r+RIgrGxsf2smTPtQBjEpjYfADuNbE4="
)
OLD_NUMBERS = (
    "eJxrWZaTmJSaUzxhSXZqZfGRAwz4ASManwmNz4zGZ0Hjs6Lx2dD47Gh8DjQ+JxqfC43PvbwkNTE5I7XoSAJE4IM9"
    "VMYBaiCUFoDSIlBaAkrLQGkFKK0EpVWgtBqU1nBYXlxSmpKaVwKzifo2QGgtBwCw/hsO"
)


def test_answers_that_older_code_stored_are_compared_with_new_ones() -> None:
    """A table whose active model is old can be trained again."""
    old = decode_out_of_fold(base64.b64decode(OLD_LABELS))
    assert old.labels == LABELS
    assert old.rows("teacher")[0].tolist() == pytest.approx([0.8, 0.2])
    assert old.rows("student")[1].tolist() == pytest.approx([0.3, 0.7])
    worse, better = (odds([big, 1 - big] * 6) for big in (0.6, 0.9))
    assert not decide_promotion(old, worse, truth(TRUTH[:12])).active
    assert decide_promotion(old, better, truth(TRUTH[:12])).active


def test_numbers_that_older_code_stored_are_compared_with_new_ones() -> None:
    """They were wrong by one and by two."""
    old = decode_out_of_fold(base64.b64decode(OLD_NUMBERS))
    right = [float(at) for at in range(12)]
    assert old.answers("teacher")[key(3)] == 4.0
    refused = decide_promotion(old, numbers([one + 3 for one in right]), truth(right))
    assert refused.reason == "its teacher is worse on 12 rows"
    near = [one + (0.5, -0.6)[at % 2] for at, one in enumerate(right)]
    assert decide_promotion(old, numbers(near), truth(right)).active


@pytest.mark.parametrize(("repeats", "active"), [(True, True), (False, False)])
def test_rows_of_one_record_do_not_keep_a_model_from_being_activated(
    *, repeats: bool, active: bool
) -> None:
    """Thirty rows are answered worse and thirty a little better; the former may be one record."""
    worse = 1 if repeats else 30
    old = numbers([0.0] * worse + [0.3**0.5] * 30)
    new = numbers([0.5**0.5] * worse + [0.0] * 30)
    first = truth([0.0] * worse) * (30 // worse)
    assert decide_promotion(old, new, [*first, *truth([0.0] * 30, worse)]).active is active
