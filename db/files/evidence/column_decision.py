"""The decision on a column's type, its words for "missing" and its format."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

from db.files.column_type import ColumnProfile
from db.spec.dates.date_value import DateOrder, read_moment
from db.spec.normalization import normal_number

from .date_order import ORDER_WORDS, DateReading, are_days, epoch_unit, read_order
from .groups import Group
from .id_name import name_parts
from .number_marks import FileMarks, NumberReading, choose_reading, read_marks
from .odd_cells import NEARLY_ALL, are_few, are_no_days, footnoted_number, row_count, sort_cells
from .sentinel import find_sentinels, is_often
from .short_year import read_short_year
from .word_kind import kind_of_words

Kind = Literal["text", "choice", "number", "boolean", "date", "datetime", "id", "unused"]

# Words that cannot be a choice; others such as "none" can.
UNMISTAKABLE = frozenset(("?", "-", ".", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null"))
_EPOCH_NAMES = frozenset(
    ("time", "timestamp", "date", "datetime", "epoch", "at", "ts", "created", "updated", "zeit")
)
_DAY_NAMES = frozenset(("date", "day", "datum", "tag", "jour", "fecha", "dia", "data", "giorno"))
_MIN_COMPACT_DATES = 10
MAX_SHOWN = 3
# Fewer different numbers before letters are codes, such as 6A and 6B.
_MIN_AMOUNTS = 5
_FIRST_NUMBER = re.compile(r"[0-9][0-9.,]*")
# Days that stand for no day, if no other is near.
_FAR_DAYS = frozenset(
    date(*day).toordinal() for day in ((9999, 12, 31), (1900, 1, 1), (1899, 12, 30), (2999, 12, 31))
)
_FAR_DAYS_APART = 3653
# How SAS and Excel count the days of 1982 to 2100.
_COUNTED_DAYS = (8_000, 73_000)


@dataclass
class ColumnType:
    """A column's type; `reason` says why it is not used or is an id."""

    kind: Kind
    profile: ColumnProfile
    reason: str = ""
    missing: Counter[str] = field(default_factory=Counter)
    """The words and numbers for "missing" that the column has, with their counts."""
    values: Counter[str] = field(default_factory=Counter)
    numbers: Counter[float] = field(default_factory=Counter)
    sentinels: dict[str, float] = field(default_factory=dict)
    """Numbers that seem to mean "missing", by how `missing` has them."""
    reading: NumberReading = field(default_factory=NumberReading)
    order: DateOrder = "YMD"
    is_listed: bool = False
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    doubts: dict[str, str] = field(default_factory=dict)
    """What to check about what `missing` has."""

    @property
    def filled(self) -> int:
        """The number of rows with a value."""
        profile = self.profile
        all_filled = profile.filled + profile.marked + profile.nested
        return all_filled - self.missing.total()

    @property
    def empty(self) -> int:
        """The number of rows without a value."""
        return self.profile.rows - self.filled


def decide_type(profile: ColumnProfile, file: FileMarks) -> ColumnType:
    """Return a column's type by the evidence of all its cells."""
    found = _unused(profile) or _boolean(profile) or _date(profile, file)
    return found or decide_number(profile, file) or decide_words(profile)


def _unused(profile: ColumnProfile) -> ColumnType | None:
    if profile.nested:
        reason = "contains objects or arrays; give each of their values a column"
        return ColumnType("unused", profile, reason)
    if not profile.filled:
        marks = ", ".join(repr(word) for word in profile.marks | profile.user_marks)
        return ColumnType("unused", profile, f"contains only {marks}" if marks else "is empty")
    if len(profile.distinct) == 1 and profile.filled == profile.rows:
        return ColumnType("unused", profile, "has the same value in every row")
    return None


def _boolean(profile: ColumnProfile) -> ColumnType | None:
    if profile.has_more or {text.lower() for text in profile.distinct} - {"true", "false"}:
        return None
    missing = profile.marks + profile.user_marks
    return ColumnType("boolean", profile, missing=missing, values=profile.distinct)


def _date(profile: ColumnProfile, file: FileMarks) -> ColumnType | None:
    """Return the type of a column of dates, None for another."""
    if _has_compact_dates(profile):
        return _date_type(profile, DateReading("YMD", has_time=False, dates=profile.filled), [])
    if unit := _epoch_unit(profile):
        days = profile.is_integer and are_days(profile.numbering.low, profile.numbering.step, unit)
        reading = DateReading("epoch", has_time=not days, dates=profile.filled)
        return _date_type(profile, reading, [])
    reading = _read_dates(profile, file)
    others = profile.groups.others(reading.accepts)
    if reading.conflict and reading.dates >= NEARLY_ALL * profile.filled:
        first, second = reading.conflict
        return ColumnType("unused", profile, f"has dates in two orders: {first} and {second}")
    if not reading.dates or not (are_few(profile, others) or are_no_days(profile, others)):
        return None
    return _date_type(profile, reading, others)


def _read_dates(profile: ColumnProfile, file: FileMarks) -> DateReading:
    """Return the order of a column's dates, by itself and by the file's other columns."""
    is_european = file.delimiter == ";" or file.usual == ","
    reading = read_order(profile.groups, is_european=is_european, usual=file.date_order)
    year = read_short_year(profile.groups, profile.distinct)
    if year.is_first:
        reading = DateReading("YMD", has_time=reading.has_time, dates=reading.dates)
    return replace(reading, doubt=year.doubt)


def _date_type(profile: ColumnProfile, reading: DateReading, others: list[Group]) -> ColumnType:
    found = ColumnType("datetime" if reading.has_time else "date", profile, order=reading.order)
    odd = sort_cells(others, found.kind)
    found.missing = profile.marks + profile.user_marks + odd.missing
    found.warnings, found.doubts = odd.warnings, odd.doubts
    found.values = Counter({t: n for t, n in profile.distinct.items() if t not in found.missing})
    _find_far_days(found)
    if reading.order in ORDER_WORDS:
        found.notes.append(ORDER_WORDS[reading.order])
    found.warnings += [reading.doubt] if reading.doubt else []
    if reading.assumed:
        found.warnings.append(
            f"{reading.assumed} is read with the day first, but no date shows this; if the month"
            ' is first, write order = "MDY"'
        )
    return found


def _find_far_days(found: ColumnType) -> None:
    """Let a repeated day such as 9999-12-31 mean "missing" if no other is near."""
    days = {text: day for text in found.values if (day := _day(text, found.order))}
    for text, count in list(found.values.items()):
        day = days.get(text)
        if day not in _FAR_DAYS or not is_often(count, found.profile.rows):
            continue
        if all(day == each or abs(each - day) > _FAR_DAYS_APART for each in days.values()):
            found.missing[text] += count
            del found.values[text]
            found.doubts[text] = (
                f"{text} in {row_count(count)} is taken for missing; if it is a day, remove it"
                " from missing"
            )


def _day(text: str, order: DateOrder) -> int | None:
    try:
        return read_moment(text, order).toordinal()
    except ValueError:
        return None


def _has_compact_dates(profile: ColumnProfile) -> bool:
    """Return whether the cells are dates such as 20240107."""
    if not profile.is_text or profile.compact_dates < NEARLY_ALL * max(profile.filled, 1):
        return False
    is_named = bool(_DAY_NAMES & set(name_parts(profile.name)))
    is_all = profile.compact_dates == profile.filled
    return is_all and (is_named or len(profile.distinct) >= _MIN_COMPACT_DATES)


def _epoch_unit(profile: ColumnProfile) -> int:
    is_named = bool(_EPOCH_NAMES & set(name_parts(profile.name)))
    return epoch_unit(profile.low, profile.high) if is_named and profile.is_number else 0


def decide_number(profile: ColumnProfile, file: FileMarks) -> ColumnType | None:
    """Return the type of a column of numbers, None for another."""
    if _has_codes(profile):
        return None
    before, after, marks = read_marks(profile.groups)
    reading = choose_reading(before, after, marks, file)
    others = profile.groups.others(reading.accepts)
    if not are_few(profile, others):
        return None
    found = ColumnType("number", profile, reading=reading)
    odd = sort_cells(others, "number", reading.format)
    found.missing = profile.marks + profile.user_marks + odd.missing
    found.warnings, found.doubts = odd.warnings, odd.doubts
    _count_numbers(found)
    _suspect_numbers(found)
    return found


def _has_codes(profile: ColumnProfile) -> bool:
    """Return whether whole numbers are codes: with leading zeros, or too large for a number."""
    if profile.leading_zeros > 1 or profile.leading_zeros * 100 > profile.filled:
        return True
    return profile.has_large_numbers


def _count_numbers(found: ColumnType) -> None:
    """Count the column's numbers, and find those that stand for a missing value."""
    spelling: dict[float, str] = {}
    for text, count in found.profile.distinct.items():
        number = found.reading.read(text)
        if number is not None and text not in found.missing:
            found.numbers[number] += count
            found.values[text] = count
            spelling.setdefault(number, text)
    for number in find_sentinels(found.numbers, found.profile.rows):
        count = found.numbers.pop(number)
        plain = spelling[number] if not found.reading.format else str(normal_number(number))
        found.missing[plain] += count
        found.sentinels[plain] = number
        found.doubts[plain] = (
            f"{plain} in {row_count(count)} lies far from all other values and is taken for"
            " missing; if it is a value, remove it from missing"
        )
    if found.reading.format:
        found.notes.append(f"written like {found.reading.format}")
    if found.reading.grouped_example:
        number = found.reading.read(found.reading.grouped_example)
        found.notes.append(f"{found.reading.grouped_example} is read as {number:g}")


def _suspect_numbers(found: ColumnType) -> None:
    """Warn of a lone -1, and of days that a spreadsheet counts."""
    numbers, profile = found.numbers, found.profile
    lows = sorted(numbers)[:2]
    is_lone = lows[:1] == [-1] and lows[1:] > [0] and len(numbers) >= _MIN_COMPACT_DATES
    if is_lone and is_often(numbers[-1], profile.rows):
        found.warnings.append(
            f"-1 in {row_count(numbers[-1])} is the only value below zero; if it means missing,"
            ' add missing = ["-1"]'
        )
    is_named = bool(_DAY_NAMES & set(name_parts(profile.name)))
    if is_named and profile.is_integer and _COUNTED_DAYS[0] <= profile.low <= _COUNTED_DAYS[1]:
        found.warnings.append(
            f"{profile.low:.0f} may be a day that a program counts; write dates as 2024-01-31"
        )


def decide_words(profile: ColumnProfile) -> ColumnType:
    """Return the type of a column of words."""
    clear, kept = split_marks(profile, UNMISTAKABLE)
    values = profile.distinct + kept
    filled = profile.filled + kept.total()
    kind = kind_of_words(profile, values, filled)
    found = ColumnType(kind.kind, profile, kind.reason, is_listed=kind.is_listed, values=values)
    found.missing = clear + profile.user_marks
    found.warnings += [kind.warning] if kind.warning else []
    doubtful = Counter({w: n for w, n in kept.items() if w != "-" or "+" not in values})
    for word, count in doubtful.most_common(MAX_SHOWN):
        found.notes.append(
            f"{word} is kept as a value ({row_count(count)}); if it means missing, add"
            f' missing = ["{word}"]'
        )
    units = sorted({shape.after.strip() for shape, _ in profile.groups.numbers()})
    numbers = {match.group() for text in values if (match := _FIRST_NUMBER.search(text))}
    are_amounts = any(map(str.isalpha, "".join(units))) and len(numbers) >= _MIN_AMOUNTS
    others = profile.groups.others(lambda group: group.shape is not None)
    if len(units) > 1 and are_amounts and are_few(profile, others):
        examples = [group.example for _, group in profile.groups.numbers()][:MAX_SHOWN]
        found.notes.append(f"numbers in several units ({', '.join(examples)}), so not a number")
    if found.kind == "choice" and (cell := footnoted_number(values)):
        found.warnings.append(f"{cell} is a number with a mark, so it is a choice; remove the mark")
    if _has_codes(profile):
        found.notes.append("codes, because numbers begin with zero or are very large")
    return found


def split_marks(
    profile: ColumnProfile, missing: frozenset[str]
) -> tuple[Counter[str], Counter[str]]:
    """Return the words of a column that mean "missing", and those that can be values."""
    clear = Counter({w: n for w, n in profile.marks.items() if w.lower() in missing})
    if "+" in profile.distinct:
        del clear["-"]
    return clear, profile.marks - clear
