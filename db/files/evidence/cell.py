"""What one cell of a data file shows: a number's shape, a date's order, or words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from db.spec.dates.date_value import DateOrder, read_moment
from db.spec.number_format import CURRENCIES, PLAIN_NUMBER

# Longer cells are neither numbers nor dates.
MAX_SHAPED_CHARACTERS = 60
_MAX_UNIT_CHARACTERS = 15
_MAX_RUNS = 8
_SENTENCE_WORDS = 4
_MIN_DATE_DIGITS, _MAX_DATE_BLANKS = 2, 6
# Minus, plus, the mathematical minus, and the en dash that stands for it.
_SIGNS = "-+\u2212\u2013"
_FIRST_YEAR, _LAST_YEAR = 1900, 2100

# Only ASCII digits count, as in requests. No two adjacent parts of a pattern can match the same
# characters, so matching takes linear time.
# pandas writes whole numbers as 1.0 in a column with gaps.
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.0)?")
_LEADING_ZERO = re.compile(r"0[0-9]+")
_BODY = re.compile(r"[0-9][0-9.,'’ \u00a0\u2009\u202f]*")
_RUN = re.compile(r"[0-9]+")
_DIGIT = re.compile(r"[0-9]")
# Only such dates have an order of day and month.
_ORDERED = re.compile(r"[0-9][-/.][0-9]{1,2}[-/.]")
# A year of two digits may stand first or last.
_SHORT_DATE = re.compile(r"[0-9]{2}([-/])[0-9]{2}\1[0-9]{2}(?![0-9])")
_COMPACT_DATE = re.compile(r"[0-9]{8}")
_TIME = re.compile(r"[0-9]:[0-9]")
# A dash for zero cents, as in 2.720,- and 6'967.–, and the Indian 500/-.
_NO_CENTS = re.compile(r"(?<=[0-9])([.,])[-\u2013\u2014]+(?![0-9])")
_NO_PAISE = re.compile(r"(?<=[0-9])/[-\u2013]$")
_EXPONENT = re.compile(r"[eE][+-]?[0-9]{1,3}")
_NO_UNIT = re.compile(r"[0-9]{4}|[A-Za-z][0-9]{2}")
# Scripts that do not put blanks between words; two characters count as a word.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class NumberShape:
    """What stands around a number, and its digits and marks: `s,3.x` for 1,234.5.

    A run of digits is 0 (begins with zero), s (at most three), L (longer) at the start; after a
    mark it is 3, 2 or x by its length.
    """

    before: str
    body: str
    after: str
    is_plain: bool = True
    """Whether the number can be read without a format."""


@dataclass(frozen=True)
class DateShape:
    """The orders that can read a date: "any", "YMD", "DMY", "MDY" or "either" of the last two.

    With "same", the last two read the same day.
    """

    order: str
    has_time: bool
    joint: str
    is_short: bool = False
    """Whether the order "YMD" can read a date whose year has two digits."""


@dataclass(frozen=True)
class Cell:
    """The facts about one cell."""

    is_integer: bool = False
    is_plain: bool = False
    has_leading_zero: bool = False
    is_compact_date: bool = False
    number: NumberShape | None = None
    date: DateShape | None = None
    words: int = 1
    is_sentence: bool = False
    is_title: bool = False


def read_cell(text: str) -> Cell:
    """Return what a cell in normal form shows."""
    if len(text) > MAX_SHAPED_CHARACTERS:
        words = count_words(text)
        return Cell(words=words, is_sentence=words >= _SENTENCE_WORDS)
    return _read_short(text)


@lru_cache(1 << 14)
def _read_short(text: str) -> Cell:
    number = _number_shape(text)
    # "1 mai 2023" looks like a number with a unit; without letters, it is a number.
    is_number = number and (number.is_plain or not any(map(str.isalpha, text)))
    date = None if is_number else _date_shape(text)
    number = None if date else number
    words = text.split()
    lower = sum(word[0].islower() for word in words)
    return Cell(
        is_integer=bool(_INTEGER.fullmatch(text)),
        is_plain=bool(PLAIN_NUMBER.fullmatch(text)),
        has_leading_zero=bool(_LEADING_ZERO.fullmatch(text)),
        is_compact_date=bool(_COMPACT_DATE.fullmatch(text)) and _is_plausible(text),
        number=number,
        date=date,
        words=count_words(text),
        is_sentence=len(words) >= _SENTENCE_WORDS and 2 * lower >= len(words),
        is_title=len(words) > 1 and all(_is_name_part(word) for word in words),
    )


def count_words(text: str) -> int:
    """Return the number of words, also in scripts without blanks."""
    return text.count(" ") + 1 + (0 if text.isascii() else len(_UNSPACED.findall(text)) // 2)


def _is_name_part(word: str) -> bool:
    letters = word.replace(".", "").replace("-", "").replace("'", "").replace(",", "")
    return letters.isalpha() and letters[0].isupper()


def _number_shape(text: str) -> NumberShape | None:
    if PLAIN_NUMBER.fullmatch(text) and ("e" in text or "E" in text):
        return NumberShape("", "e", "")
    bare = _NO_PAISE.sub("", _NO_CENTS.sub(r"\g<1>00", _unsigned(text)))
    match = _BODY.search(bare)
    if match is None:
        return None
    before, body, after = bare[: match.start()], match.group(), bare[match.end() :]
    if before[-1:] in {".", ","} and not before[-2:-1].isalpha():
        before, body = before[:-1], before[-1] + body
    digits = body.rstrip("., '’\u00a0\u2009\u202f")
    after = (body[len(digits) :] + after) if after or body[-1:] in "'’" else ""
    shape, before = _body_shape(digits), before.strip().rstrip(_SIGNS).rstrip()
    if _EXPONENT.fullmatch(after):
        # What stands before an exponent is a decimal mark.
        shape, after = f"{shape[:-1]}x" if shape.endswith("3") else shape, ""
    if not shape or not _is_sign(before) or not _is_unit(after):
        return None
    return NumberShape(before, shape, after.rstrip(), bool(PLAIN_NUMBER.fullmatch(text)))


def _unsigned(text: str) -> str:
    """Return a number's text without its sign, which may be the parentheses of accountants."""
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip()
    if text[-1:] in "-\u2212" and text[-2:-1].isdigit():
        return text[:-1]
    return text[1:].strip() if text[:1] in _SIGNS else text


def _is_sign(before: str) -> bool:
    return not before or before.lower() in CURRENCIES or unicodedata.category(before[-1]) == "Sc"


def _is_unit(after: str) -> bool:
    unit = after.strip()
    if not unit:
        return True
    if _NO_UNIT.search(unit):
        return False
    is_start = unit[0].isalpha() or unit[0] in "%‰°+\"'′″" or unicodedata.category(unit[0]) == "Sc"
    return is_start and len(unit) <= _MAX_UNIT_CHARACTERS and not set(unit) & set(":;|,")


def _body_shape(body: str) -> str:
    """Return the runs of digits and the marks between them, "" for what no number has."""
    runs = _RUN.findall(body)
    marks = [_plain_mark(mark) for mark in _RUN.split(body)]
    if len(runs) > _MAX_RUNS or any(len(mark) > 1 for mark in marks):
        return ""
    if marks[0]:
        return f"{marks[0]}x" if len(runs) == 1 else ""
    if not _can_be_grouped(runs[1:], marks[1:-1]):
        return ""
    parts = [_first_run(runs[0])]
    for mark, run in zip(marks[1:], runs[1:], strict=False):
        parts.append(mark + {2: "2", 3: "3"}.get(len(run), "x"))
    return "".join(parts)


def _can_be_grouped(runs: list[str], marks: list[str]) -> bool:
    """Return whether all marks but the last separate thousands; in India also hundreds."""
    if len(marks) > 1 and marks[-1] != marks[0]:
        runs, marks = runs[:-1], marks[:-1]
    elif len(marks) < 2 and (not marks or marks[0] in ".,"):  # noqa: PLR2004
        return True
    lengths = [len(run) for run in runs]
    # Addresses of computers have points: 10.78.130.193.
    sizes = {2, 3} if marks[0] == "," else {3}
    return len(set(marks)) == 1 and lengths[-1] == 3 and set(lengths) <= sizes  # noqa: PLR2004


def _plain_mark(mark: str) -> str:
    return mark.translate({ord("’"): "'", 0xA0: " ", 0x2009: " ", 0x202F: " "})


def _first_run(run: str) -> str:
    if run[0] == "0":
        return "0"
    return "L" if len(run) > 3 else "s"  # noqa: PLR2004  a group has three digits


def _is_plausible(text: str) -> bool:
    return bool(_moment(text, "YMD")) and _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR


def _moment(text: str, order: DateOrder) -> datetime | None:
    try:
        return read_moment(text, order)
    except ValueError:
        return None


def _date_shape(text: str) -> DateShape | None:
    if text.count(" ") > _MAX_DATE_BLANKS or len(_DIGIT.findall(text)) < _MIN_DATE_DIGITS:
        return None
    year_first = _moment(text, "YMD")
    is_short = bool(year_first and _SHORT_DATE.match(text))
    if year_first and not is_short:
        return DateShape("any", _has_time(text, year_first), "")
    if not _ORDERED.search(text):
        return None
    day_first, month_first = _moment(text, "DMY"), _moment(text, "MDY")
    moment = day_first or month_first or year_first
    if moment is None:
        return None
    has_time = _has_time(text, moment)
    joint = "." if "." in text[:3] else "/"
    if day_first and month_first:
        order = "same" if day_first == month_first else "either"
    else:
        order = "DMY" if day_first else "MDY" if month_first else "YMD"
    return DateShape(order, has_time, joint, is_short)


def _has_time(text: str, moment: datetime) -> bool:
    return bool(_TIME.search(text) or moment.hour or moment.minute or moment.second)
