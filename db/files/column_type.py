"""The profile of a data file's column: counts of its values, and the type that fits them."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from db.spec.normalization import normal_text, plain_number
from db.spec.validation import NUMBER

Kind = Literal["empty", "constant", "boolean", "integer", "number", "choice", "text", "date", "id"]

# The number of distinct values that are kept; a column with more is not a choice.
MAX_DISTINCT = 5_000
MAX_CHOICES = 40
MAX_CHOICE_CHARACTERS = 60
MAX_EXAMPLE_CHARACTERS = 300
# The values of a choice repeat: each occurs at least this often on average.
MIN_REPEATS = 3
MIN_ID_ROWS = 20
# Words that mean "missing" in tables, in addition to an empty cell.
MISSING = frozenset(("na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "."))
# Above this share of numbers, a column was probably meant to contain only numbers.
NEARLY_NUMBER_SHARE = 0.5

# Only ASCII digits count, as in requests. No two parts of a pattern can match the same digits, so
# matching takes linear time.
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_COMMA = re.compile(r"[+-]?(?:[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]+)(?:,[0-9]+)?")
# One mark with three digits after it, which can be decimals or a group of thousands.
_AMBIGUOUS = {mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}\{mark}[0-9]{{3}}") for mark in ",."}
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    r"( \d{1,2}:\d{2}.*)?"
)


@dataclass
class ColumnProfile:
    """Counts of a column's values; `has_more` if it has more than MAX_DISTINCT distinct ones."""

    name: str
    rows: int = 0
    filled: int = 0
    missing_words: set[str] = field(default_factory=set)
    distinct: Counter[str] = field(default_factory=Counter)
    has_more: bool = False
    longest: int = 0
    is_integer: bool = True
    is_number: bool = True
    is_comma: bool = True
    is_date: bool = True
    # Further words that mean "missing", from the user.
    missing: frozenset[str] = frozenset()
    numbers_seen: int = 0
    first_word: str = ""
    # By mark, "," or ".": the first cell in which it can be a decimal mark or separate thousands.
    ambiguous_cells: dict[str, str] = field(default_factory=dict)
    # The marks that are certainly decimal marks, because of another cell.
    decimal_marks: set[str] = field(default_factory=set)

    def add(self, raw: object) -> None:
        """Add a row's value to the counts; None means that the row has none."""
        self.rows += 1
        text = _text_of(raw)
        if text.lower() in MISSING or text in self.missing:
            self.missing_words.add(text)
            return
        if not text:
            return
        self.filled += 1
        self.longest = max(self.longest, len(text))
        self.is_integer = self.is_integer and bool(_INTEGER.fullmatch(text))
        self.is_number = self.is_number and bool(NUMBER.fullmatch(text))
        self.is_comma = self.is_comma and bool(_COMMA.fullmatch(text))
        if NUMBER.fullmatch(text) or _COMMA.fullmatch(text):
            self.numbers_seen += 1
            self._add_marks(text)
        else:
            self.first_word = self.first_word or text
        self.is_date = self.is_date and bool(_DATE.fullmatch(text))
        if text in self.distinct or len(self.distinct) < MAX_DISTINCT:
            self.distinct[text] += 1
        else:
            self.has_more = True

    def _add_marks(self, text: str) -> None:
        for mark in ",.":
            if mark in text and _AMBIGUOUS[mark].fullmatch(text):
                self.ambiguous_cells.setdefault(mark, text)
            elif mark in text:
                self.decimal_marks.add(mark)

    def ambiguous_cell(self, mark: str) -> str:
        """Return a cell in which the mark can be a decimal mark or separate thousands, "" if none.

        No cell is ambiguous if the mark can only be a decimal mark in another cell.
        """
        return "" if mark in self.decimal_marks else self.ambiguous_cells.get(mark, "")

    @property
    def is_missing_somewhere(self) -> bool:
        """Whether a row has no value."""
        return self.filled < self.rows

    @property
    def is_nearly_number(self) -> bool:
        """Whether most values are numbers and some are not."""
        return bool(self.first_word) and self.numbers_seen > NEARLY_NUMBER_SHARE * self.filled

    @property
    def has_decimal_commas(self) -> bool:
        """Whether the numbers are written like 2,5 or 1 234."""
        return self.is_comma and not self.is_number

    @property
    def kind(self) -> Kind:
        """The narrowest type that fits all values."""
        if not self.filled:
            return "empty"
        if len(self.distinct) == 1 and not self.is_missing_somewhere:
            return "constant"
        if {text.lower() for text in self.distinct} <= {"true", "false"}:
            return "boolean"
        if self.is_integer:
            return "id" if self._numbers_rows else "integer"
        if self.is_number or self.has_decimal_commas:
            return "number"
        return self._kind_of_words

    @property
    def _kind_of_words(self) -> Kind:
        if self.is_date:
            return "date"
        repeats = self.filled >= MIN_REPEATS * len(self.distinct)
        if len(self.distinct) <= MAX_CHOICES and repeats and self.longest <= MAX_CHOICE_CHARACTERS:
            return "choice"
        is_one_word = not any(" " in text for text in self.distinct)
        is_code = self._is_unique and is_one_word and not self.is_nearly_number
        return "id" if is_code else "text"

    @property
    def _is_unique(self) -> bool:
        return self.filled >= MIN_ID_ROWS and max(self.distinct.values()) == 1

    @property
    def _numbers_rows(self) -> bool:
        """Whether the values are consecutive whole numbers, one per row, starting anywhere."""
        if not self._is_unique or self.has_more or self.is_missing_somewhere:
            return False
        numbers = self.numbers()
        return max(numbers) - min(numbers) == len(numbers) - 1

    def numbers(self) -> list[float]:
        """Return the distinct values as numbers."""
        return [number_of(text) for text in self.distinct]

    def median(self) -> float:
        """Return the median of the kept values, each counted as often as it occurs."""
        return float(statistics.median(number_of(text) for text in self.distinct.elements()))

    def most_common(self) -> str:
        """Return the most frequent value."""
        return self.distinct.most_common(1)[0][0]

    def typical_text(self) -> str:
        """Return a text of median length among those of at most MAX_EXAMPLE_CHARACTERS."""
        short = [text for text in self.distinct if len(text) <= MAX_EXAMPLE_CHARACTERS]
        if not short:
            return "some text"
        ordered = sorted(short, key=lambda text: (len(text), text))
        return ordered[len(ordered) // 2]


def number_of(text: str) -> float:
    """Return the number in a cell, written with a decimal point or a decimal comma."""
    return float(plain_number(text))


def _text_of(raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return str(raw).lower()
    try:
        return normal_text(str(raw))
    except ValueError:
        return str(raw).strip()
