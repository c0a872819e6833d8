"""The confusion matrix of a version's teacher, with its tints and its worst pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A larger matrix cannot be read; the page then lists the worst pairs alone.
MOST_MATRIX_LABELS = 16
MOST_PAIRS = 12
TINTS = 4


@dataclass(frozen=True)
class Cell:
    """How many rows of one label got one answer; `tint` is a class of page.css."""

    answer: str
    count: int
    tint: str


@dataclass(frozen=True)
class WrongPair:
    """How many of a label's rows got another label as their answer."""

    label: str
    answer: str
    count: int
    rows: int


@dataclass(frozen=True)
class Confusion:
    """The out-of-fold answers by label; without `rows` if there are too many labels."""

    labels: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    worst: Sequence[WrongPair]


def confusion_of(metrics: Mapping[str, Any]) -> Confusion | None:
    """Return the confusion matrix in the metrics of a version, None if they have none."""
    teacher = metrics.get("teacher") or {}
    counts: Sequence[Sequence[int]] = teacher.get("confusion") or []
    labels = list(teacher.get("labels", {}))
    if not counts or len(counts) != len(labels):
        return None
    rows = _rows(labels, counts) if len(labels) <= MOST_MATRIX_LABELS else []
    return Confusion(labels, rows, _worst(labels, counts))


def _rows(
    labels: Sequence[str], counts: Sequence[Sequence[int]]
) -> list[tuple[str, Sequence[Cell]]]:
    most_wrong = max(
        (count for at, row in enumerate(counts) for place, count in enumerate(row) if at != place),
        default=0,
    )
    return [
        (
            label,
            [
                Cell(
                    answer,
                    count,
                    _right_tint(count, sum(row))
                    if answer == label
                    else _wrong_tint(count, most_wrong),
                )
                for answer, count in zip(labels, row, strict=True)
            ],
        )
        for label, row in zip(labels, counts, strict=True)
    ]


def _right_tint(count: int, rows: int) -> str:
    """Return the tint of right answers, by their share of the label's rows."""
    return f"right{math.ceil(TINTS * count / rows)}" if count else ""


def _wrong_tint(count: int, most: int) -> str:
    """Return the tint of wrong answers, by their number: few are told apart as well as many."""
    return f"wrong{math.ceil(TINTS * math.sqrt(count / most))}" if count else ""


def _worst(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[WrongPair]:
    pairs = [
        WrongPair(label, answer, count, sum(row))
        for label, row in zip(labels, counts, strict=True)
        for answer, count in zip(labels, row, strict=True)
        if count and answer != label
    ]
    return sorted(pairs, key=lambda pair: -pair.count)[:MOST_PAIRS]
