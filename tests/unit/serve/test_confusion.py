"""Tests of the confusion matrix, its tints and its worst pairs."""

from __future__ import annotations

from serve.pages.models.confusion import MOST_MATRIX_LABELS, confusion_of


def metrics_of(confusion: list[list[int]]) -> dict[str, object]:
    """Return metrics with a confusion matrix."""
    labels: dict[str, object] = {f"label {at}": {} for at in range(len(confusion))}
    return {"teacher": {"labels": labels, "confusion": confusion}}


def test_one_mistake_and_many_have_different_tints() -> None:
    """Right answers have tints of their own, by their share of the row."""
    found = confusion_of(metrics_of([[90, 1, 9], [25, 50, 5], [0, 3, 7]]))
    assert found is not None
    tints = [[cell.tint for cell in cells] for _, cells in found.rows]
    assert tints == [
        ["right4", "wrong1", "wrong3"],
        ["wrong4", "right3", "wrong2"],
        ["", "wrong2", "right3"],
    ]


def test_the_worst_pairs_come_first() -> None:
    """Each says of how many rows of the label."""
    found = confusion_of(metrics_of([[90, 1], [25, 50]]))
    assert found is not None
    pairs = [(pair.label, pair.answer, pair.count, pair.rows) for pair in found.worst]
    assert pairs == [("label 1", "label 0", 25, 75), ("label 0", "label 1", 1, 91)]


def test_a_matrix_that_cannot_be_read_is_left_out() -> None:
    """Its worst pairs are not."""
    size = MOST_MATRIX_LABELS + 1
    found = confusion_of(metrics_of([[2] * size for _ in range(size)]))
    assert found is not None
    assert found.rows == []
    assert len(found.worst) == 12


def test_without_a_matrix_there_is_nothing() -> None:
    """Regressions have none, nor have damaged metrics."""
    assert confusion_of({}) is None
    assert confusion_of({"teacher": {"labels": {"a": {}}, "confusion": [[1], [2]]}}) is None


def test_a_perfect_model_has_no_pairs() -> None:
    """Nothing is divided by zero."""
    found = confusion_of(metrics_of([[3, 0], [0, 0]]))
    assert found is not None
    assert found.worst == []
    assert [cell.tint for cell in found.rows[0][1]] == ["right4", ""]
