"""The cells of a column that are not of its type: words for "missing", and mistakes."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass, field

from db.files.column_type import ColumnProfile
from db.spec.number_format import CURRENCIES, PLAIN_NUMBER, parse_format

from .cell import NumberShape
from .groups import Group

# A column has numbers or dates if at least this share of its cells are numbers or dates.
NEARLY_ALL = 0.9
# With a few repeated words beside them, or numbers without their unit, fewer are enough.
_WITH_WORDS, _WITH_BARE_NUMBERS = 0.2, 0.5
_MAX_WORDS, _MIN_WORD_COUNT, _MIN_NUMBERS = 5, 3, 10
# A date that no calendar has; 0000-00-00 means that there is none.
_NO_DAY = re.compile(r"(?![-0/.]*(?: |$))[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?![0-9])")
_FREE = frozenset(("free", "gratis", "kostenlos", "gratuit", "umsonst", "zero", "no charge"))
# A mark that leads to a footnote, after a number.
_FOOTNOTE = re.compile(r" ?(?:[*†‡§]{1,3}|\([a-z]\))$")
_INFINITE = frozenset(("inf", "-inf", "+inf", "infinity", "-infinity"))

# What stands at the beginning of a row that sums up others.
TOTAL = re.compile(
    r"(?:grand |sub[- ]?|sous[- ]|zwischen|gesamt|total )?"
    r"(?:totals?|totaux|totale|sums?|summe|somme|gesamt|gesamtsumme|average|avg|mean|mittelwert"
    r"|durchschnitt|moyenne|promedio|suma|insgesamt)[:.]?(?: [^ ].*)?",
    re.IGNORECASE,
)


@dataclass
class OddCells:
    """What the cells that are not of a column's type mean."""

    missing: Counter[str] = field(default_factory=Counter)
    doubts: dict[str, str] = field(default_factory=dict)
    """What to check about words for "missing", by the word."""
    warnings: list[str] = field(default_factory=list)
    """What to check about the cells that import refuses."""


def are_few(profile: ColumnProfile, others: list[Group]) -> bool:
    """Return whether a column is of one type but for few cells, or but for repeated words."""
    count = sum(group.count for group in others)
    fitting = profile.filled - count
    if fitting >= NEARLY_ALL * profile.filled:
        return fitting > 0
    if len(profile.distinct) - len(others) < _MIN_NUMBERS:
        return False
    if all(map(_is_bare, others)):
        return fitting >= _WITH_BARE_NUMBERS * profile.filled
    words = [group for group in others if not _is_bare(group)]
    are_words = all(_is_word(group) and group.count >= _MIN_WORD_COUNT for group in words)
    enough = fitting >= _WITH_WORDS * profile.filled
    return are_words and enough and len(words) == len(others) <= _MAX_WORDS


def are_no_days(profile: ColumnProfile, others: list[Group]) -> bool:
    """Return whether at least half of a column are dates, and all others look like dates."""
    fitting = profile.filled - sum(group.count for group in others)
    is_half = fitting >= _WITH_BARE_NUMBERS * profile.filled
    return is_half and all(_NO_DAY.match(group.example) for group in others)


def _is_bare(group: Group) -> bool:
    """Return whether cells are numbers without the unit of the others."""
    return isinstance(group.shape, NumberShape) and group.shape.is_plain


def _is_word(group: Group) -> bool:
    return group.shape is None and group.is_one_value


def sort_cells(others: list[Group], kind: str, number_format: str = "") -> OddCells:
    """Let repeated words mean "missing", and warn of the cells that remain."""
    found, odd, bare = OddCells(), [], []
    unit = parse_format(number_format).needed_affix if number_format else ""
    for group in others:
        is_no_day = kind in {"date", "datetime"} and _NO_DAY.match(group.example)
        if _is_word(group) and group.count > 1 and not is_no_day:
            found.missing[group.example] += group.count
            _doubt(found, group, kind)
        elif unit and _is_bare(group):
            bare.append(group)
        else:
            odd.append(group)
    if bare:
        what = f"{_cells(bare, 'has', 'have')} no {unit!r}, unlike the others"
        found.warnings.append(f"{what}{_refused(bare)}; write the unit, or one unit in all cells")
    if odd:
        what = f"{_cells(odd, 'is', 'are')} not a {kind} as the others are"
        found.warnings.append(f"{what}{_refused(odd)}{_advice(odd[0].example)}")
    return found


def _doubt(found: OddCells, group: Group, kind: str) -> None:
    """Doubt a word that says more than that there is no value, such as "<5"."""
    word = group.example
    has_digit = any(map(str.isdigit, word)) and not word.startswith("#")
    is_dash = "-" in word and not any(map(str.isalnum, word)) and set(word) & CURRENCIES
    if is_dash or word.lower() in _FREE:
        found.doubts[word] = (
            f"{word!r} in {row_count(group.count)} is taken for missing; if it means 0, write 0"
        )
    if has_digit or word.lower() in _INFINITE:
        found.doubts[word] = (
            f"{word!r} in {row_count(group.count)} is taken for missing; if it is a value, write"
            f" a {kind} in its place"
        )


def _cells(groups: list[Group], one: str, many: str) -> str:
    count = sum(group.count for group in groups)
    return f"1 cell {one}" if count == 1 else f"{count:,} cells {many}"


def _refused(groups: list[Group]) -> str:
    first = groups[0]
    return f", the first in line {first.line:,}: {first.example!r}; import refuses such rows"


def _advice(example: str) -> str:
    if any(map(str.isdigit, example)):
        return "; correct the file"
    if TOTAL.fullmatch(example):
        return "; delete rows that sum up others"
    return f"; if it means missing, add --force --missing {shlex.quote(example)}"


def footnoted_number(values: Counter[str]) -> str:
    """Return the first number with a mark for a footnote if nearly all are numbers; else ""."""
    marked = [text for text in values if _FOOTNOTE.search(text)]
    numbers = sum(bool(PLAIN_NUMBER.fullmatch(_FOOTNOTE.sub("", text))) for text in values)
    return marked[0] if marked and numbers >= NEARLY_ALL * len(values) else ""


def row_count(count: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"
