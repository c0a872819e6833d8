"""The profile of a data file's column: what its cells show, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from db.spec.normalization import LARGEST_WHOLE, normal_number, normal_text

from .evidence.cell import Cell, read_cell
from .evidence.groups import Groups
from .evidence.numbering import CodeShape, Numbering, Uniqueness

# The number of distinct values that are kept.
MAX_DISTINCT = 5_000
# Longer texts are kept as their beginning and a hash, so that memory is bounded.
MAX_KEPT_CHARACTERS = 300
# Longer whole numbers are not counted on.
MAX_DIGITS = 40
_MAX_COUNTED_WORDS = 100
# Words that mean "missing" in tables, in addition to an empty cell.
MISSING = frozenset(
    ("na", "n.a.", "n/a", "#n/a", "#na", "nan", "null", "none", "nil", "<na>", "nat", "?", "-", ".")
)
_MAX_MARK_CHARACTERS = 6
_SPACE = " \t\n\r\v\f"


@dataclass
class ColumnProfile:
    """Counts of a column's values; `has_more` if it has more than MAX_DISTINCT distinct ones.

    `filled` does not count the cells of `marks` and `user_marks`, which are words for "missing".
    """

    name: str
    rows: int = 0
    # Further words that mean "missing", from the user.
    missing: frozenset[str] = frozenset()
    filled: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    user_marks: Counter[str] = field(default_factory=Counter)
    nested: int = 0
    distinct: Counter[str] = field(default_factory=Counter)
    has_more: bool = False
    longest: int = 0
    groups: Groups = field(default_factory=Groups)
    numbering: Numbering = field(default_factory=Numbering)
    uniqueness: Uniqueness = field(default_factory=Uniqueness)
    codes: CodeShape = field(default_factory=CodeShape)
    words: Counter[int] = field(default_factory=Counter)
    sentences: int = 0
    titles: int = 0
    is_text: bool = True
    """Whether the file has all values as text."""
    is_integer: bool = True
    is_number: bool = True
    leading_zeros: int = 0
    compact_dates: int = 0
    low: float = math.inf
    high: float = -math.inf

    def add(self, raw: object, line: int = 0) -> None:
        """Add a row's value to the counts; None means that the row has none."""
        if isinstance(raw, dict | list):
            self.nested += 1
            return
        text = text_of(raw)
        if not text:
            return
        spelt = raw.strip(_SPACE) if isinstance(raw, str) else text
        if text in self.missing or spelt in self.missing:
            self.user_marks[spelt] += 1
        elif len(text) <= _MAX_MARK_CHARACTERS and text.lower() in MISSING:
            self.marks[spelt] += 1
        else:
            self.is_text = self.is_text and isinstance(raw, str)
            self._add_value(text, spelt, line)

    def _add_value(self, text: str, spelt: str, line: int) -> None:
        cell = read_cell(text)
        self.filled += 1
        self.longest = max(self.longest, len(text))
        self.groups.add(text, spelt, cell, line)
        self.words[min(cell.words, _MAX_COUNTED_WORDS)] += 1
        self.sentences += cell.is_sentence
        self.titles += cell.is_title
        self.leading_zeros += cell.has_leading_zero
        self.compact_dates += cell.is_compact_date
        self._add_number(text, cell)
        kept = kept_text(text)
        if kept in self.distinct or len(self.distinct) < MAX_DISTINCT:
            self.distinct[kept] += 1
        else:
            self.has_more = True

    def _add_number(self, text: str, cell: Cell) -> None:
        self.is_integer = self.is_integer and cell.is_integer and len(text) <= MAX_DIGITS
        self.is_number = self.is_number and cell.is_plain
        self.codes.add(text)
        whole, is_code = text.partition(".")[0], cell.has_leading_zero or cell.is_integer
        if self.is_integer:
            self.numbering.add(int(whole))
        if cell.is_plain:
            number = float(text)
            self.low, self.high = min(self.low, number), max(self.high, number)
        if self.is_integer:
            self.uniqueness.add(whole)
        elif cell.words == 1 and not (self.is_number and cell.is_plain and not is_code):
            self.uniqueness.add(text)
        else:
            self.uniqueness.drop()

    @property
    def marked(self) -> int:
        """The number of cells with a word for "missing"."""
        return self.marks.total() + self.user_marks.total()

    @property
    def is_unique(self) -> bool:
        """Whether the values are whole numbers or single words of which none repeats."""
        return self.filled > 1 and self.uniqueness.is_unique

    @property
    def has_large_numbers(self) -> bool:
        """Whether the values are whole numbers that a float cannot hold."""
        largest = max(abs(self.numbering.low), abs(self.numbering.high))
        return self.is_integer and largest > LARGEST_WHOLE

    @property
    def median_words(self) -> int:
        """The median number of words in a cell."""
        seen = 0
        for words in sorted(self.words):
            seen += self.words[words]
            if 2 * seen >= self.filled:
                return words
        return 0

    @property
    def mean_count(self) -> float:
        """How often a kept value occurs on average."""
        return self.distinct.total() / max(len(self.distinct), 1)


def kept_text(text: str) -> str:
    """Return a short text as it is, a long one as its beginning and a hash."""
    if len(text) <= MAX_KEPT_CHARACTERS:
        return text
    return f"{text[:MAX_KEPT_CHARACTERS]} {hash(text)}"


def text_of(raw: object) -> str:
    """Return a value of a data file as text in normal form, "" for None."""
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, float):
        return str(normal_number(raw))
    if isinstance(raw, Decimal):
        return format(raw, "f")
    try:
        return normal_text(str(raw))
    except ValueError:
        return str(raw).strip()
