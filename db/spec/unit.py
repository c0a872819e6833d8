"""Units: whether two spellings of a unit mean the same, so that a number has one meaning."""

from __future__ import annotations

import re
from functools import lru_cache

# A unit of so many letters may have a plural, and its case may differ.
_WORD_LETTERS = 3
# Their case tells milli from mega and pico from peta.
_PREFIXES = frozenset("mp")
# In short units, the case of these letters also tells gram from giga, or bit from byte.
_CASED = frozenset("mpgtbn")
_PREFIXED = frozenset(
    ("m", "g", "s", "l", "w", "wh", "v", "va", "a", "ah", "j", "n", "hz", "pa", "bar", "b", "bit")
) | frozenset(("bps", "mol", "cal", "ev", "px", "sv", "gy", "bq", "t", "c", "f", "h", "k", "wp"))
_FIRST_WORD = re.compile(r"[^\W\d_]*")


@lru_cache(4096)
def is_same_unit(first: str, second: str) -> bool:
    """Return whether two spellings are one unit, as "CC" and "cc", or "year" and "years".

    "mW" and "MW" are two units, as are "m" and "M".
    """
    if first == second:
        return True
    first, second = _singular(first), _singular(second)
    if first.lower() != second.lower() or len(first) != len(second):
        return False
    return _is_all_cased(first, second) or _is_same_case_apart(first, second)


def _singular(unit: str) -> str:
    """Return a word without its last "s"."""
    is_plural = len(unit) > _WORD_LETTERS and unit.isalpha() and unit[-1] in "sS"
    return unit[:-1] if is_plural else unit


def _is_all_cased(first: str, second: str) -> bool:
    """Return whether one unit of several letters is in capital letters and the other in small."""
    letters = sum(map(str.isalpha, first))
    is_cased = (first.isupper() and second.islower()) or (first.islower() and second.isupper())
    return letters > 1 and is_cased


def _is_same_case_apart(first: str, second: str) -> bool:
    """Return whether the letters in which two units differ mean the same in either case."""
    differing = {a.lower() for a, b in zip(first, second, strict=True) if a != b}
    found = _FIRST_WORD.match(first)
    word = found[0].lower() if found else ""
    if len(word) < _WORD_LETTERS:
        return not differing & _CASED
    is_prefixed = word[0] in _PREFIXES and word[1:] in _PREFIXED
    return not (is_prefixed and first[0] != second[0])
