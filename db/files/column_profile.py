"""A column of a data file, as far as it was seen: what kind of values it holds."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from db.spec.field import NUMBER, normal_text, plain_number

Kind = Literal["empty", "constant", "boolean", "integer", "number", "choice", "text", "date", "id"]

# Of what is told apart so many are kept; a column with more is no choice.
MOST_DISTINCT = 5_000
MOST_CHOICES = 40
LONGEST_CHOICE = 60
LONGEST_EXAMPLE = 300
# A value of a choice comes again and again; on average at least so often.
LEAST_REPEATS = 3
LEAST_FOR_ID = 20
# What tables say where there is nothing, beside an empty cell.
MISSING = frozenset(("na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "."))
# A column of which so many are numbers may be one of numbers, but for a word or two.
NEARLY = 0.5

# Digits are ASCII's, as in questions; no two parts of a pattern can match the same digits.
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_COMMA = re.compile(r"[+-]?(?:[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})+|[0-9]+)(?:,[0-9]+)?")
# One group of three digits after the mark, which may be decimals or end a thousand.
_AMBIGUOUS = {mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}\{mark}[0-9]{{3}}") for mark in ",."}
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    r"( \d{1,2}:\d{2}.*)?"
)


@dataclass
class ColumnProfile:
    """The values of a column: all of them if they are few."""

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
    # What else says that there is nothing, by whoever knows the file.
    missing: frozenset[str] = frozenset()
    numbers_seen: int = 0
    first_word: str = ""
    # By "," and ".": the first cell that it makes ambiguous, and whether another cell settles it.
    ambiguous_cells: dict[str, str] = field(default_factory=dict)
    decimal_marks: set[str] = field(default_factory=set)

    def add(self, raw: object) -> None:
        """Look at a value, None where there is none."""
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
            self._look_at_marks(text)
        else:
            self.first_word = self.first_word or text
        self.is_date = self.is_date and bool(_DATE.fullmatch(text))
        if text in self.distinct or len(self.distinct) < MOST_DISTINCT:
            self.distinct[text] += 1
        else:
            self.has_more = True

    def _look_at_marks(self, text: str) -> None:
        for mark in ",.":
            if mark in text and _AMBIGUOUS[mark].fullmatch(text):
                self.ambiguous_cells.setdefault(mark, text)
            elif mark in text:
                self.decimal_marks.add(mark)

    def ambiguous_cell(self, mark: str) -> str:
        """Return a cell in which a mark may be a decimal one or end a thousand, "" without any.

        Where another cell has it in a place where only a decimal mark can be, none is ambiguous.
        """
        return "" if mark in self.decimal_marks else self.ambiguous_cells.get(mark, "")

    @property
    def is_missing_somewhere(self) -> bool:
        """Whether a row has nothing in it."""
        return self.filled < self.rows

    @property
    def is_nearly_number(self) -> bool:
        """Whether most of it are numbers, and a word or two are not."""
        return bool(self.first_word) and self.numbers_seen > NEARLY * self.filled

    @property
    def has_decimal_commas(self) -> bool:
        """Whether its numbers are written like 2,5 or 1 234."""
        return self.is_comma and not self.is_number

    @property
    def kind(self) -> Kind:
        """What it holds, the narrowest that all of it is."""
        if not self.filled:
            return "empty"
        if len(self.distinct) == 1 and not self.is_missing_somewhere:
            return "constant"
        if {text.lower() for text in self.distinct} <= {"true", "false"}:
            return "boolean"
        if self.is_integer:
            return "id" if self._counts_rows else "integer"
        if self.is_number or self.has_decimal_commas:
            return "number"
        return self._kind_of_words

    @property
    def _kind_of_words(self) -> Kind:
        if self.is_date:
            return "date"
        repeats = self.filled >= LEAST_REPEATS * len(self.distinct)
        if len(self.distinct) <= MOST_CHOICES and repeats and self.longest <= LONGEST_CHOICE:
            return "choice"
        is_one_word = not any(" " in text for text in self.distinct)
        is_code = self._is_unique and is_one_word and not self.is_nearly_number
        return "id" if is_code else "text"

    @property
    def _is_unique(self) -> bool:
        return self.filled >= LEAST_FOR_ID and max(self.distinct.values()) == 1

    @property
    def _counts_rows(self) -> bool:
        """Whether it numbers the rows, from 1 or from anything."""
        if not self._is_unique or self.has_more or self.is_missing_somewhere:
            return False
        numbers = self.numbers()
        return max(numbers) - min(numbers) == len(numbers) - 1

    def numbers(self) -> list[float]:
        """Return the different values as numbers."""
        return [number_of(text) for text in self.distinct]

    def middle(self) -> float:
        """Return the number in the middle of those that were kept, as often as each came."""
        return float(median(number_of(text) for text in self.distinct.elements()))

    def commonest(self) -> str:
        """Return the value that comes most often."""
        return self.distinct.most_common(1)[0][0]

    def typical_text(self) -> str:
        """Return a text of the length in the middle, of those that can be shown."""
        short = [text for text in self.distinct if len(text) <= LONGEST_EXAMPLE]
        if not short:
            return "some text"
        ordered = sorted(short, key=lambda text: (len(text), text))
        return ordered[len(ordered) // 2]


def number_of(text: str) -> float:
    """Return the number that a cell says, with a decimal point or a decimal comma."""
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
