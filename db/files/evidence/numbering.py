"""Whether a column's values identify the rows: whether none repeats, and whether they count on."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

# Unique values are known to be unique among so many; later ones are compared with these.
MAX_HASHES = 100_000
_MIN_HEX = 8
_MAX_CODE = 64
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_/-]*")
_HEX = re.compile(r"[0-9a-fA-F-]{8,64}")
_LETTER, _DIGITS = re.compile(r"[A-Za-z]"), re.compile(r"[0-9]+")


@dataclass
class Numbering:
    """Whole numbers in O(1) memory: enough to tell an arithmetic progression in any order."""

    count: int = 0
    low: int = 0
    high: int = 0
    step: int = 0
    total: int = 0
    squares: int = 0
    is_ordered: bool = True
    """Whether each number so far is the one before and the same difference."""

    def add(self, number: int) -> None:
        """Add the number of the next row."""
        if not self.count:
            self.low = self.high = self._first = number
        elif self.count == 1:
            self._difference = number - self._first
        else:
            self.is_ordered = self.is_ordered and number - self._last == self._difference
        self._last = number
        self.low, self.high = min(self.low, number), max(self.high, number)
        offset = number - self._first
        self.step = math.gcd(self.step, offset)
        self.total += offset
        self.squares += offset * offset
        self.count += 1

    _first: int = 0
    _last: int = 0
    _difference: int = 0

    @property
    def counts_on(self) -> bool:
        """Whether the numbers go up in equal steps in the order of the file."""
        return self.is_ordered and self._difference > 0 and self.is_progression

    @property
    def is_progression(self) -> bool:
        """Whether the numbers are those from low to high in equal steps, each one once.

        Sum and sum of squares agree with those of the progression; nothing else in practice does.
        """
        if self.count < 2 or not self.step:  # noqa: PLR2004  two numbers have a step
            return False
        last = self.count - 1
        if self.high - self.low != last * self.step:
            return False
        start = self.low - self._first
        steps, square_steps = last * self.count // 2, last * self.count * (2 * last + 1) // 6
        total = self.count * start + self.step * steps
        squares = self.count * start**2 + 2 * start * self.step * steps
        return (self.total, self.squares) == (total, squares + self.step**2 * square_steps)


@dataclass
class Uniqueness:
    """Whether no value repeats, by a bounded set of hashes that the first repeat drops."""

    is_unique: bool = True
    _hashes: set[int] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Add the value of the next row."""
        if not self.is_unique:
            return
        value = hash(text)
        if value in self._hashes:
            self.drop()
        elif len(self._hashes) < MAX_HASHES:
            self._hashes.add(value)

    def drop(self) -> None:
        """Stop: the values do not identify rows."""
        self.is_unique = False
        self._hashes = set()


@dataclass
class CodeShape:
    """Whether all values are codes of one shape: A-1001 and B-17, or hexadecimal of one length."""

    _codes: set[str] = field(default_factory=set)
    _lengths: set[int] = field(default_factory=set)
    _has_letter: bool = False
    _is_dropped: bool = False

    def add(self, text: str) -> None:
        """Add the value of the next row."""
        if self._is_dropped:
            return
        self._codes.add(_code_shape(text))
        is_hex = bool(_HEX.fullmatch(text)) and any(map(str.isdigit, text))
        self._lengths.add(len(text) if is_hex else 0)
        self._has_letter = self._has_letter or any(map(str.isalpha, text))
        self._is_dropped = not (self._is_code or self._is_hex)

    @property
    def is_common(self) -> bool:
        """Whether the values so far have one shape."""
        return not self._is_dropped and (self._is_code or (self._is_hex and self._has_letter))

    @property
    def _is_code(self) -> bool:
        return len(self._codes) == 1 and "" not in self._codes

    @property
    def _is_hex(self) -> bool:
        return len(self._lengths) == 1 and min(self._lengths) >= _MIN_HEX


def _code_shape(text: str) -> str:
    """Return a code with each letter as "a" and each run of digits as "9"; "" for another text."""
    if len(text) > _MAX_CODE or not (_CODE.fullmatch(text) and _DIGITS.search(text)):
        return ""
    return _DIGITS.sub("9", _LETTER.sub("a", text))
