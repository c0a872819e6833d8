"""The comparison of two versions on the records that both answered out of fold."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .difference import Difference, Parts, paired_difference
from .out_of_fold import AnswerRows, ModelKind, OutOfFoldAnswers

# How many rows of each record have each label, by the record's key.
Truth: TypeAlias = Mapping[bytes, Mapping[str, int]]

MODELS: tuple[ModelKind, ...] = ("teacher", "student")
MOST_LISTED = 50
# A probability of zero would make one surprise infinitely bad; as in training.
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class ChangedRecord:
    """A record that one version answers better than the other; answers are labels or numbers."""

    key: str
    label: str
    before: str | float
    after: str | float


@dataclass(frozen=True)
class LabelDifferences:
    """How well the teachers of two versions find one label."""

    label: str
    rows: int
    recall: Difference
    precision: Difference
    f1: Difference


@dataclass(frozen=True)
class Comparison:
    """Two versions on the same records.

    `measures` has the differences by name, for teacher and student. A record is mended if only the
    later teacher is right, and broken if only the earlier one was. A number is mended if its error
    has become smaller. Of each kind at most MOST_LISTED records are listed, the largest change
    first.
    """

    records: int
    rows: int
    measures: Mapping[ModelKind, Mapping[str, Difference]]
    labels: Sequence[LabelDifferences]
    mended: Sequence[ChangedRecord]
    broken: Sequence[ChangedRecord]
    mended_count: int
    broken_count: int


@dataclass(frozen=True)
class _Judged:
    """One answer held against the labels of its record: how many rows are right, and two losses."""

    answer: str | float
    right: float
    # The log loss, or the absolute error, summed over the rows.
    loss: float
    squared: float = 0.0


@dataclass(frozen=True)
class _Pair:
    """The answers of two versions to one record."""

    key: bytes
    labels: Mapping[str, int]
    before: _Judged
    after: _Judged

    @property
    def rows(self) -> int:
        return sum(self.labels.values())

    @property
    def label(self) -> str:
        """The most frequent label, the first in the alphabet of equally frequent ones."""
        return min(self.labels, key=lambda label: (-self.labels[label], label))


def compare_answers(
    before: OutOfFoldAnswers, after: OutOfFoldAnswers, truth: Truth
) -> Comparison | None:
    """Return the comparison of two versions; None if they have no record in common.

    Records without a truth, and those that only one version answered, are left out.
    """
    if bool(before.labels) != bool(after.labels):
        return None
    pairs = {model: list(_pairs(before, after, truth, model)) for model in MODELS}
    teachers = pairs["teacher"]
    if not teachers:
        return None
    is_numeric = not before.labels
    mended, broken = _changed(teachers, is_numeric=is_numeric)
    return Comparison(
        len(teachers),
        sum(pair.rows for pair in teachers),
        {model: _measures(pairs[model], is_numeric=is_numeric) for model in MODELS},
        [] if is_numeric else _label_differences(teachers),
        [_listed(pair, is_numeric=is_numeric) for pair in mended[:MOST_LISTED]],
        [_listed(pair, is_numeric=is_numeric) for pair in broken[:MOST_LISTED]],
        len(mended),
        len(broken),
    )


def _pairs(
    before: OutOfFoldAnswers, after: OutOfFoldAnswers, truth: Truth, model: ModelKind
) -> Iterator[_Pair]:
    places = {key: place for place, key in enumerate(before.keys) if key in truth}
    old, new = before.rows(model), after.rows(model)
    positions = [{label: at for at, label in enumerate(one.labels)} for one in (before, after)]
    for place, key in enumerate(after.keys):
        if key in places:
            labels = truth[key]
            yield _Pair(
                key,
                labels,
                _judge(old, places[key], labels, positions[0]),
                _judge(new, place, labels, positions[1]),
            )


def _judge(
    rows: AnswerRows, place: int, labels: Mapping[str, int], positions: Mapping[str, int]
) -> _Judged:
    answer, number = rows.answer(place)
    if not positions:
        errors = [(abs(number - float(label)), count) for label, count in labels.items()]
        return _Judged(
            number,
            0.0,
            sum(error * count for error, count in errors),
            sum(error**2 * count for error, count in errors),
        )
    row = rows.row(place)
    chances = ((row[positions[it]] if it in positions else 0.0, n) for it, n in labels.items())
    loss = sum(-math.log(min(max(one, LEAST_PROBABILITY), 1.0)) * n for one, n in chances)
    return _Judged(answer, labels.get(answer, 0), loss)


def _measures(pairs: Sequence[_Pair], *, is_numeric: bool) -> dict[str, Difference]:
    names = (
        {"mae": "loss", "mse": "squared"}
        if is_numeric
        else {"accuracy": "right", "log_loss": "loss"}
    )
    return {
        name: paired_difference(
            [
                Parts(getattr(pair.before, of), pair.rows, getattr(pair.after, of), pair.rows)
                for pair in pairs
            ],
            len(pairs),
        )
        for name, of in names.items()
    }


@dataclass
class _LabelParts:
    """What each record adds to recall, precision and F1 of one label."""

    rows: int = 0
    recall: list[Parts] = field(default_factory=list)
    precision: list[Parts] = field(default_factory=list)
    f1: list[Parts] = field(default_factory=list)

    def add(self, true: int, before: int, after: int) -> None:
        """Add a record's rows of the label, and how many rows each version answers with it."""
        self.rows += true
        found_before, found_after = true if before else 0, true if after else 0
        self.recall.append(Parts(found_before, true, found_after, true))
        self.precision.append(Parts(found_before, before, found_after, after))
        self.f1.append(Parts(2 * found_before, true + before, 2 * found_after, true + after))


def _label_differences(pairs: Sequence[_Pair]) -> list[LabelDifferences]:
    """Return the differences of each label, the largest change of F1 first."""
    parts: defaultdict[str, _LabelParts] = defaultdict(_LabelParts)
    for pair in pairs:
        rows = pair.rows
        before, after = str(pair.before.answer), str(pair.after.answer)
        for label in {*pair.labels, before, after}:
            true = pair.labels.get(label, 0)
            parts[label].add(true, rows * (before == label), rows * (after == label))
    count = len(pairs)
    found = [
        LabelDifferences(
            label,
            of.rows,
            *(paired_difference(one, count) for one in (of.recall, of.precision, of.f1)),
        )
        for label, of in parts.items()
    ]
    return sorted(found, key=lambda one: (-abs(one.f1.change), one.label))


def _changed(pairs: Sequence[_Pair], *, is_numeric: bool) -> tuple[list[_Pair], list[_Pair]]:
    """Return the records that are mended and those that are broken, the largest change first."""
    mended, broken = [], []
    for pair in pairs:
        gain = _gain(pair, is_numeric=is_numeric)
        if gain > 0:
            mended.append(pair)
        elif gain < 0:
            broken.append(pair)
    order = _loss_rise
    return sorted(mended, key=order), sorted(broken, key=order, reverse=True)


def _gain(pair: _Pair, *, is_numeric: bool) -> float:
    if is_numeric:
        return -_loss_rise(pair)
    return (pair.after.answer == pair.label) - (pair.before.answer == pair.label)


def _loss_rise(pair: _Pair) -> float:
    return (pair.after.loss - pair.before.loss) / pair.rows


def _listed(pair: _Pair, *, is_numeric: bool) -> ChangedRecord:
    label = pair.label if not is_numeric else _mean(pair.labels)
    return ChangedRecord(pair.key.hex(), label, pair.before.answer, pair.after.answer)


def _mean(labels: Mapping[str, int]) -> str:
    total = sum(float(label) * count for label, count in labels.items())
    return repr(total / sum(labels.values()))
