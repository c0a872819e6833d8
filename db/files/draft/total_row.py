"""Rows that sum up the others, as below a table of a spreadsheet."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from db.files.column_type import text_of
from db.files.evidence.odd_cells import TOTAL
from db.spec.number_format import PLAIN_NUMBER

MAX_SHOWN_CELLS = 5
MAX_KEPT = 50
MAX_SHOWN_ROWS = 3
_MAX_CHARACTERS = 40
# The cells at the beginning of a row that can say that it is a total.
_FIRST_CELLS = 2
_MIN_ROWS = 5
# In the middle of a table, only so few rows are totals.
_MAX_SHARE = 0.2
_SURE = re.compile(
    r"(?:grand |sub[- ]?|sous[- ]|zwischen)?(?:totals?|totaux|totale|sum|summe)[:.]?"
    r"|(?:sub[- ]?totals?|sous[- ]total|zwischensumme|sum of|total of|summe der)[:.]? [^ ].*",
    re.IGNORECASE,
)
# A total is larger than this share of the other rows' numbers.
_LARGE = 0.95


@dataclass(frozen=True)
class SeenRow:
    """A row of the file, by its line."""

    line: int
    cells: Mapping[str, str]

    def __str__(self) -> str:
        texts = [text[:_MAX_CHARACTERS] for text in self.cells.values() if text]
        more = ", …" if len(texts) > MAX_SHOWN_CELLS else ""
        return f"line {self.line:,} ({', '.join(texts[:MAX_SHOWN_CELLS])}{more})"


@dataclass
class TotalRows:
    """The first and the last row, and the rows whose first cells say that they are totals."""

    first: SeenRow | None = None
    last: SeenRow | None = None
    named: list[SeenRow] = field(default_factory=list)
    count: int = 0
    rows: int = 0
    _line: int = 0
    _values: Mapping[str, object] = field(default_factory=dict)

    def add(self, line: int, values: Mapping[str, object]) -> None:
        """Add the next row."""
        self.rows += 1
        self._line, self._values = line, values
        if self.first is None:
            self.first = _seen(line, values)
        if _total_column(values, _SURE):
            self.count += 1
            if len(self.named) < MAX_KEPT:
                self.named.append(_seen(line, values))

    def finish(self) -> None:
        """Keep the row that was the last one."""
        if self.rows > 1:
            self.last = _seen(self._line, self._values)

    def find(
        self,
        target: str,
        numbers: Counter[float],
        cells: Mapping[str, float],
        values: Mapping[str, Mapping[str, int]],
    ) -> list[str]:
        """Return a sentence for each row that looks like a total of the others.

        `numbers` are all numbers of the target, `cells` has the number of each of its cells, and
        `values` has how often each column has each value.
        """
        found = {row.line: row for row in self._at_the_ends(values)}
        if self.count <= _MAX_SHARE * self.rows:
            found |= {row.line: row for row in self._large(target, cells, values)}
        for row in (self.first, self.last):
            number = cells.get(row.cells.get(target, "")) if row else None
            if row and (
                _is_sum(number, numbers) or _stands_alone(row, number, numbers, len(values))
            ):
                found[row.line] = row
        return [
            f"{found[line]} looks like a total of other rows; delete it" for line in sorted(found)
        ]

    def _at_the_ends(self, values: Mapping[str, Mapping[str, int]]) -> Iterator[SeenRow]:
        for row in (self.first, self.last):
            name = _total_column(row.cells, TOTAL) if row else None
            # "Average" in several rows is a value like others.
            if row and name and self.rows > _MIN_ROWS and values[name].get(row.cells[name], 0) == 1:
                yield row

    def _large(
        self, target: str, cells: Mapping[str, float], values: Mapping[str, Mapping[str, int]]
    ) -> list[SeenRow]:
        """Return the rows named like totals with large numbers; "Total" may also be a brand."""
        limits = {name: self._limit(name, values[name]) for name in values if name != target}
        limits[target] = self._limit(target, values[target], cells)
        found = []
        for row in self.named:
            numbers = {name: _number(text) for name, text in row.cells.items()}
            numbers[target] = cells.get(row.cells.get(target, ""))
            if any(n is not None and n > limits.get(name, math.inf) for name, n in numbers.items()):
                found.append(row)
        return found[:MAX_SHOWN_ROWS] if 2 * len(found) > len(self.named) else []

    def _limit(
        self, name: str, counts: Mapping[str, int], cells: Mapping[str, float] | None = None
    ) -> float:
        """Return the number that few rows other than the named ones exceed."""
        rest = Counter(counts)
        rest.subtract(row.cells.get(name, "") for row in self.named)
        read = _number if cells is None else cells.get
        numbers = sorted(
            (number, count)
            for text, count in rest.items()
            if count > 0 and (number := read(text)) is not None
        )
        left = _LARGE * sum(count for _, count in numbers)
        for number, count in numbers:
            left -= count
            if left <= 0:
                return number
        return math.inf


def _number(text: str) -> float | None:
    return float(text) if PLAIN_NUMBER.fullmatch(text) else None


def _seen(line: int, values: Mapping[str, object]) -> SeenRow:
    return SeenRow(line, {name: text_of(value)[:300] for name, value in values.items()})


def _total_column(values: Mapping[str, object], pattern: re.Pattern[str]) -> str | None:
    """Return the first column whose cell says that the row is a total."""
    for name, value in islice(values.items(), _FIRST_CELLS):
        text = value[: _MAX_CHARACTERS + 1].strip() if isinstance(value, str) else ""
        if len(text) <= _MAX_CHARACTERS and pattern.fullmatch(text):
            return name
    return None


def _stands_alone(
    row: SeenRow, number: float | None, numbers: Counter[float], columns: int
) -> bool:
    """Return whether a row has the largest number of the target, and no other cell."""
    is_alone = len([text for text in row.cells.values() if text]) == 1 < columns
    return is_alone and number is not None and len(numbers) > _MIN_ROWS and number == max(numbers)


def _is_sum(number: float | None, numbers: Counter[float]) -> bool:
    """Return whether a number is the sum of all others."""
    if not number or numbers.total() <= _MIN_ROWS or numbers[number] != 1:
        return False
    others = sum(value * count for value, count in numbers.items()) - number
    return math.isclose(number, others, rel_tol=1e-6)
