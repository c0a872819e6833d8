"""Whether one column alone tells the target, which is often known only afterwards."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from db.files.evidence.column_decision import ColumnType
from db.files.evidence.id_name import is_time_name

from .target import Target

MIN_ROWS = 20
# From here on, a column predicts labels or numbers almost perfectly.
_ACCURACY, _EXPLAINED = 0.995, 0.999
# And makes at most this share of the errors of a constant.
_OF_ERRORS = 0.25


@dataclass(frozen=True)
class Leak:
    """A column that predicts the target alone, and how well, on how many rows."""

    column: str
    score: float
    rows: int
    is_regression: bool

    def __str__(self) -> str:
        share = f"{math.floor(self.score * 1000) / 10:g} %"
        rows = f"{self.rows:,} rows"
        good = f"{share} of its variance in {rows}" if self.is_regression else f"{share} of {rows}"
        return f"tells the target alone ({good}); remove it if it is only known afterwards"


def find_leaks(
    columns: Iterable[ColumnType], target: Target, rows: Sequence[dict[str, str]]
) -> Iterator[Leak]:
    """Yield a leak for each column of a sample of rows that tells the target alone."""
    labels = [target.read(row.get(target.profile.name, "")) for row in rows]
    known = [(row, label) for row, label in zip(rows, labels, strict=True) if label is not None]
    if len(known) < MIN_ROWS:
        return
    most = Counter(label for _, label in known).most_common(1)[0][1] / len(known)
    for column in columns:
        if _is_time(column):
            continue
        key, name = _key(column), column.profile.name
        pairs = [(key(row.get(name, "")), label) for row, label in known]
        if target.is_regression:
            score = _explained([(each, float(label)) for each, label in pairs])
            is_leak = score >= _EXPLAINED
        else:
            score = _accuracy([(each, str(label)) for each, label in pairs])
            is_leak = score >= _ACCURACY and 1 - score <= _OF_ERRORS * (1 - most)
        if is_leak:
            yield Leak(name, score, len(pairs), target.is_regression)


def _is_time(column: ColumnType) -> bool:
    """Return whether a column says when: what grows with time is no leak."""
    return column.kind in {"date", "datetime"} or is_time_name(column.profile.name)


def _key(column: ColumnType) -> Callable[[str], Hashable]:
    """Return how a cell is compared: numbers and dates by size, others by value."""
    if column.kind == "number":
        return lambda text: None if text in column.missing else column.reading.read(text)
    return lambda text: text or None


def _accuracy(pairs: list[tuple[Hashable, str]]) -> float:
    """Return the accuracy of the most frequent label of the other rows with the same value.

    A number that occurs once gets the label that its neighbours in size share.
    """
    by_key: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for key, label in pairs:
        by_key[key][label] += 1
    single = _neighbours(by_key)
    right = 0
    for key, counts in by_key.items():
        if counts.total() == 1:
            right += single.get(key) == next(iter(counts))
            continue
        label, most = counts.most_common(1)[0]
        second = max((n for other, n in counts.items() if other != label), default=0)
        right += most if most - 1 > second or (not second and most > 1) else 0
    return right / len(pairs)


def _neighbours(by_key: dict[Hashable, Counter[str]]) -> dict[Hashable, str]:
    """Return, for each number, the label that both its neighbours have most often."""
    numbers = sorted(key for key in by_key if isinstance(key, int | float))
    most = [by_key[number].most_common(1)[0][0] for number in numbers]
    found: dict[Hashable, str] = {}
    for at, number in enumerate(numbers):
        beside = {most[i] for i in (at - 1, at + 1) if 0 <= i < len(numbers)}
        if len(beside) == 1:
            found[number] = beside.pop()
    return found


def _explained(pairs: list[tuple[Hashable, float]]) -> float:
    """Return how much of the variance a column explains by equal values, or by its order.

    Neighbours in a smooth series explain each other, which is no leak.
    """
    by_key: dict[Hashable, list[float]] = defaultdict(list)
    for key, value in pairs:
        by_key[key].append(value)
    repeated = {key: values for key, values in by_key.items() if len(values) > 1}
    if 2 * sum(map(len, repeated.values())) < len(pairs):
        return _rank_correlation(pairs) ** 2
    overall = statistics.fmean(value for _, value in pairs)
    total = sum((value - overall) ** 2 for _, value in pairs)
    error = sum(_error(values, overall) for values in by_key.values())
    by_value = 1 - error / total if total else 0.0
    return max(by_value, _rank_correlation(pairs) ** 2)


def _error(values: list[float], expected: float) -> float:
    """Return the squared errors of each value against the mean of the others with its key."""
    count, total = len(values), sum(values)
    if count == 1:
        return (values[0] - expected) ** 2
    return sum((value - (total - value) / (count - 1)) ** 2 for value in values)


def _rank_correlation(pairs: list[tuple[Hashable, float]]) -> float:
    """Return how far a number and the target grow together, 0 if some keys are no numbers."""
    numbers = [(key, value) for key, value in pairs if isinstance(key, int | float)]
    if len(numbers) < len(pairs):
        return 0.0
    try:
        return statistics.correlation(*(_ranks(list(part)) for part in zip(*numbers, strict=True)))
    except statistics.StatisticsError:
        return 0.0


def _ranks(values: list[float]) -> list[float]:
    """Return the rank of each value; equal ones share the mean of their ranks."""
    places: dict[float, list[int]] = defaultdict(list)
    for place, value in enumerate(sorted(values)):
        places[value].append(place)
    return [(places[value][0] + places[value][-1]) / 2 for value in values]
