"""The format of a column's numbers: how the number 1234.5 is written in it.

`$1,234.5`, `1.234,5 €`, `1234.5 km/h` and `1234,5 %` are formats. A percent sign or a unit is part
of the format and does not change the number: "93 %" is 93.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .unit import is_same_unit

MAX_FORMAT_CHARACTERS = 40

# No two parts of the patterns can match the same digits, so matching takes linear time.
PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FORMAT = re.compile(r"(?P<before>[^0-9]*)1(?P<group>[., ']?)234(?P<mark>[.,])5(?P<after>\D.*)?")
# Groups have three digits; in India only the last one does (12,34,567).
_GROUPED = "[1-9][0-9]{{0,2}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}(?:{mark}[0-9]+)?"
# Small numbers are written with an exponent: 5,45e-06.
_UNGROUPED = "(?:[0-9]+(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?"
# Spaces and apostrophes that people use between thousands.
_GROUP_CLASSES = {" ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
_DASHES = "-\u2212\u2013"
_SIGNS = dict.fromkeys(_DASHES, "-") | {"+": ""}
# What stands for zero cents: after the decimal mark, and after a whole amount in India.
_CENT_DASHES = f"{_DASHES}\u2014"
_INDIAN_END = "/-"
# A cell without its currency sign is the same amount; without its unit it may be another one.
CURRENCIES = frozenset("$€£¥₹₽₩₺₴₫₱฿") | {
    *("usd", "eur", "gbp", "jpy", "chf", "cad", "aud", "inr", "cny", "sek", "nok", "dkk", "pln"),
    *("rs", "rs.", "kr", "kr.", "fr.", "us$", "r$", "a$", "c$"),
}


@dataclass(frozen=True)
class NumberFormat:
    """What stands before and after a number, between its thousands, and before its decimals."""

    before: str = ""
    after: str = ""
    group: str = ""
    mark: str = "."

    def __str__(self) -> str:
        return f"{self.before}1{self.group}234{self.mark}5{self.after}"

    def read(self, text: str) -> str | None:
        """Return the number in a cell as plain text such as -1234.5; None if it is not one."""
        sign, body = _split_sign(text.strip())
        bare = self._without_affixes(body)
        if bare is None:
            return None
        bare = self._without_zero_cents(bare)
        if not sign:
            sign, bare = _split_sign(bare)
            sign, bare = (sign, bare) if sign else _split_last_sign(bare)
        if not _number_pattern(self.group, self.mark).fullmatch(bare):
            return None
        digits = re.sub(_group_class(self.group), "", bare) if self.group else bare
        return sign + digits.replace(self.mark, ".")

    def write(self, number: float) -> str:
        """Return a number as a cell that `read` reads, without marks between thousands."""
        plain = repr(number)
        return f"{self.before}{plain.replace('.', self.mark)}{self.after}"

    @property
    def needed_affix(self) -> str:
        """The unit or sign without which a cell would be another number, "" if there is none."""
        affixes = (self.before.strip(), self.after.strip())
        return next((one for one in affixes if one and one.lower() not in CURRENCIES), "")

    def _without_affixes(self, text: str) -> str | None:
        before, after = self.before.strip(), self.after.strip()
        start = _length_at_start(text, before)
        if start is None:
            return None
        end = _length_at_end(text[start:], after)
        return None if end is None else text[start : len(text) - end].strip()

    def _without_zero_cents(self, text: str) -> str:
        """Return an amount without the dash for zero cents: 6'967.–, 2.720,- or ₹ 9,27,636/-."""
        whole = text.rstrip(_CENT_DASHES)
        is_amount = {self.before.strip().lower(), self.after.strip().lower()} & CURRENCIES
        if text.endswith(_INDIAN_END) and is_amount:
            return text[: -len(_INDIAN_END)].rstrip()
        is_cut = whole != text and whole.endswith(self.mark) and whole[-2:-1].isdecimal()
        return whole[:-1] if is_cut else text


def _length_at_start(text: str, before: str) -> int | None:
    """Return how many characters of a cell are the sign before its number; None if it lacks it."""
    if is_same_unit(text[: len(before)], before):
        return len(before)
    return 0 if before.lower() in CURRENCIES else None


def _length_at_end(text: str, after: str) -> int | None:
    """Return how many characters of a cell are the unit after its number; None if it lacks it."""
    for length in (len(after), len(after) + 1, len(after) - 1):
        if 0 <= length <= len(text) and is_same_unit(text[len(text) - length :], after):
            return length
    return 0 if after.lower() in CURRENCIES else None


def parse_format(text: str) -> NumberFormat:
    """Return the format that is written as the number 1234.5; raises ValueError."""
    match = _FORMAT.fullmatch(text) if len(text) <= MAX_FORMAT_CHARACTERS else None
    if match is None or match["group"] == match["mark"]:
        raise ValueError(
            "write the number 1234.5 as the column would, such as $1,234.5 or 1234,5 %"
        )
    return _parsed(text)


@lru_cache(1024)
def _parsed(text: str) -> NumberFormat:
    match = _FORMAT.fullmatch(text)
    assert match is not None  # noqa: S101  parse_format has checked it
    before, after = match["before"], match["after"] or ""
    # `1234.5-` and `₹ 1,234.5/-` show where a minus sign or the zero cents may stand.
    if after.strip() in {*_DASHES, _INDIAN_END}:
        after = ""
    return NumberFormat(before, after, match["group"], match["mark"])


def looks_grouped(text: str, mark: str) -> bool:
    """Return whether each mark in a number can separate thousands: 1.234, but not 1.2 or 0.123."""
    return bool(_thousands(mark).fullmatch(text.strip()))


def _split_sign(text: str) -> tuple[str, str]:
    """Return "-" or "" and the rest; accountants write a negative number in parentheses."""
    if text.startswith("(") and text.endswith(")"):
        return "-", text[1:-1].strip()
    if text[:1] in _SIGNS:
        return _SIGNS[text[:1]], text[1:].strip()
    return "", text


def _split_last_sign(text: str) -> tuple[str, str]:
    """Return "-" or "" and the rest of a number with its minus sign at the end: 247.37-."""
    has_sign = text[-1:] in _SIGNS and text[-1:] != "+" and text[-2:-1].isdecimal()
    return ("-", text[:-1]) if has_sign else ("", text)


@lru_cache(64)
def _number_pattern(group: str, mark: str) -> re.Pattern[str]:
    parts = {"group": _group_class(group), "mark": re.escape(mark)}
    ungrouped = _UNGROUPED.format(**parts)
    return re.compile(f"{_GROUPED.format(**parts)}|{ungrouped}" if group else ungrouped)


def _group_class(group: str) -> str:
    return _GROUP_CLASSES.get(group, re.escape(group))


@lru_cache(8)
def _thousands(mark: str) -> re.Pattern[str]:
    return re.compile(rf"[+-]?[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+")
