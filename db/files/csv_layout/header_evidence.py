"""Weigh whether a record has the columns' names or is a row, by the rows below it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from .dialect import Record

Verdict = Literal["names", "row", "unknown"]

_ROWS = 200
# At least this share of a column's values has one shape if it contains numbers or dates.
_SHAPE_SHARE = 0.8
# In a column of words, each value occurs at least this often on average.
_REPEATS = 2
_FEW_VALUES = 10
_MAX_SHAPED_CHARACTERS = 40
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_MIN_SERIES, _MIN_COUNT_SERIES = 4, 3
# At most this share of the rows may be a series like the names above them.
_SERIES_SHARE = 0.2
_MISSING = frozenset(
    ("na", "n.a.", "n/a", "#n/a", "nan", "null", "none", "nil", "missing", "unknown")
)
# No two adjacent parts can match more than one character in common, so time is linear.
_QUANTITY = re.compile(
    r"[+-]?[$€£]?[.,]?[0-9][0-9.,' \u00a0\u202f]*(?:[eE][+-]?[0-9]+)?([%°²³/A-Za-zµ$€£]{0,8})"
)
_DATE = re.compile(r"[0-9]{1,4}[-/.:][0-9]{1,4}(?:[-/.: T][0-9:.+Z -]*)?")
_WHOLE = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True)
class Evidence:
    """Counts of columns, and whether the record's numbers are a series such as 2019, 2020, 2021.

    Of the columns of numbers or dates, `words` have a word in the record and `same` a value like
    those below. Of the columns of words, in `recurring` the record's word occurs below, in `fresh`
    it does not.
    """

    numbers: int = 0
    words: int = 0
    same: int = 0
    recurring: int = 0
    fresh: int = 0
    is_series: bool = False

    @property
    def verdict(self) -> Verdict:
        """Whether the record has names; "unknown" if the columns do not show it."""
        if self.same:
            return "names" if self.is_series or self.words > self.same else "row"
        if self.words and (self.fresh or self.recurring <= self.words):
            return "names"
        if self.recurring:
            return "row" if self.recurring >= self.fresh else "unknown"
        return "names" if self.fresh else "unknown"

    @property
    def is_surely_names(self) -> bool:
        """Whether the record has a word in each of at least two columns of numbers."""
        return self.words == self.numbers > 1


def has_number(record: Record, width: int) -> bool:
    """Return whether a cell of the record is a number or a date."""
    return any(_shape(cell.strip()) for cell in record.cells[:width])


def weigh(record: Record, rows: Sequence[Record], width: int) -> Evidence:
    """Return what the rows below a record show about it."""
    # A file that was put together from several repeats its header, which shows nothing.
    below = [row.cells for row in rows[:_ROWS] if width == 1 or row.cells != record.cells]
    counts: Counter[str] = Counter()
    words: set[str] = set()
    same: list[tuple[str, list[str]]] = []
    for cell, values in _columns(record, below, width):
        kind = _kind_of_column(cell, values)
        counts[kind] += 1
        if kind == "words":
            words.add(cell)
        elif kind == "same":
            same.append((cell, values))
    return Evidence(
        numbers=counts["words"] + counts["same"] + counts["numbers"],
        words=len(words),
        same=counts["same"],
        recurring=counts["recurring"],
        fresh=counts["fresh"],
        is_series=_is_series(same, has_words=bool(words)),
    )


def _columns(record: Record, rows: list[list[str]], width: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the record's cell and the filled cells below it, for each column."""
    for at, cell in enumerate(record.cells[:width]):
        values = [row[at].strip() for row in rows if at < len(row)]
        yield cell.strip(), [value for value in values if not _is_missing(value)]


def _is_missing(cell: str) -> bool:
    """Return whether a cell has neither a letter nor a digit, or is a word such as "NA"."""
    short = cell[:_MAX_SHAPED_CHARACTERS]
    return short.lower() in _MISSING or not any(map(str.isalnum, short))


def _kind_of_column(cell: str, values: list[str]) -> str:
    """Return what a column shows about the record's cell: a name of a count of Evidence."""
    shape = _shape_of_column(values)
    if shape:
        if _shape(cell) == shape:
            return "same"
        return "numbers" if _is_missing(cell) or cell in values else "words"
    if _is_missing(cell) or not values:
        return ""
    repeats = len(values) >= _REPEATS * len(set(values))
    if cell in values:
        return "recurring" if repeats or len(values) < _FEW_VALUES else ""
    return "fresh" if repeats else ""


def _shape_of_column(values: list[str]) -> str:
    """Return the shape of nearly all values, "" if they are words."""
    if not values:
        return ""
    shape, count = Counter(map(_shape, values)).most_common(1)[0]
    return shape if count >= _SHAPE_SHARE * len(values) else ""


def _shape(cell: str) -> str:
    """Return "number" and its unit, or "date"; "" for other cells."""
    if len(cell) > _MAX_SHAPED_CHARACTERS:
        return ""
    quantity = _QUANTITY.fullmatch(cell)
    if quantity:
        return "number" + quantity[1].lower()
    return "date" if _DATE.fullmatch(cell) else ""


def _is_series(columns: list[tuple[str, list[str]]], *, has_words: bool) -> bool:
    """Return whether numbers above numbers are names: years, or whole numbers that count on.

    The values below must be different: a row may well contain three years, or 1, 2, 3.
    """
    cells = [cell for cell, _ in columns]
    if not cells or not all(_WHOLE.fullmatch(cell) for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    if numbers[0] >= _FIRST_YEAR and numbers[-1] <= _LAST_YEAR:
        return _are_years(numbers, [values for _, values in columns])
    count = _MIN_COUNT_SERIES if numbers[0] in {0, 1} else _MIN_SERIES
    if len(numbers) < count - has_words:
        return False
    if not _counts_on(cells):
        return False
    rows = list(zip(*(values for _, values in columns), strict=False))
    # Of two numbers, the second is the larger one in many a row.
    return len(cells) < _MIN_COUNT_SERIES or sum(map(_counts_on, rows)) <= _SERIES_SHARE * len(rows)


def _are_years(numbers: list[int], columns: list[list[str]]) -> bool:
    """Return whether years increase, and most values below them are not years.

    One year alone must lie apart from all values below it.
    """
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        return False
    values = [value for column in columns for value in column]
    years = sum(_FIRST_YEAR <= _whole(value) <= _LAST_YEAR for value in values)
    if len(numbers) > 1:
        return 2 * years < len(values)
    wholes = [_whole(value) for value in values]
    return not years and (numbers[0] < min(wholes) or numbers[0] > max(wholes))


def _counts_on(cells: Sequence[str]) -> bool:
    """Return whether the cells are whole numbers with equal steps upwards."""
    numbers = [_whole(cell) for cell in cells]
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return min(numbers) >= 0 and (not steps or (len(steps) == 1 and min(steps) > 0))


def _whole(cell: str) -> int:
    """Return a whole number, or the digits before a mark; -1 if the cell does not begin so."""
    found = _WHOLE.match(cell)
    return int(found[0]) if found else -1
