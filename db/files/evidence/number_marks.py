"""How a column's numbers are written: signs, units, thousands and decimals, by evidence."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from db.errors import InputError
from db.spec.dates.date_value import DateOrder
from db.spec.field import NumberField
from db.spec.number_format import CURRENCIES, MAX_FORMAT_CHARACTERS, NumberFormat
from db.spec.validation import read_cell_number, read_value

from .cell import NumberShape
from .groups import Group, Groups

Mark = Literal[".", ","]

_OTHER: dict[str, Mark] = {".": ",", ",": "."}
_MARKS = re.compile(r"[^0-9sL3x2]")
# One cell alone does not show that a mark separates thousands.
MIN_GROUPED = 2


@dataclass
class Marks:
    """How many cells show what each mark means; by mark, "," or "."."""

    decimal: Counter[str] = field(default_factory=Counter)
    """Cells in which the mark can only be a decimal mark."""
    grouped: Counter[str] = field(default_factory=Counter)
    """Cells in which the mark can only separate thousands; also blanks and apostrophes."""
    either: Counter[str] = field(default_factory=Counter)
    example: dict[str, str] = field(default_factory=dict)
    """The first cell that can be read in two ways."""
    ungrouped: int = 0
    """Cells with four or more digits and no mark between thousands."""
    formatted: int = 0
    """Cells that cannot be read without a format."""

    @property
    def proven(self) -> Mark | None:
        """The decimal mark that this column's cells prove; None without proof or with two."""
        votes = self.votes()
        best: Mark = "," if votes[","] > votes["."] else "."
        return best if votes[best] > 0 and votes[best] >= 9 * votes[_OTHER[best]] else None

    def votes(self) -> Counter[str]:
        """Return the number of cells for each decimal mark."""
        return Counter(
            {mark: self.decimal[mark] + self.grouped[other] for mark, other in _OTHER.items()}
        )


@dataclass(frozen=True)
class FileMarks:
    """What the whole file says about decimal marks."""

    delimiter: str = ""
    proven: frozenset[Mark] = frozenset()
    """The marks that other columns prove."""
    chosen: Mark | None = None
    """What the user says."""
    date_order: DateOrder | None = None
    """The order of days and months that the file's dates prove."""

    @property
    def usual(self) -> Mark:
        """The decimal mark of columns that have none."""
        if self.chosen:
            return self.chosen
        return "," if self.proven == {","} else "."


@dataclass(frozen=True)
class NumberReading:
    """A column's format, "" for plain numbers; `ambiguous` is a cell with two readings, if any."""

    format: str = ""
    ambiguous: str = ""
    grouped_example: str = ""
    """A cell whose mark separates thousands only by the evidence of other cells."""

    def accepts(self, group: Group) -> bool:
        """Return whether the cells of a group are numbers in this format."""
        return isinstance(group.shape, NumberShape) and self.read(group.example) is not None

    def read(self, text: str) -> float | None:
        """Return the number in a cell as `import` reads it, None if it is not one."""
        try:
            cell = read_cell_number(text, self.format) if self.format else text
            return float(read_value("", _field(self.format), cell))  # type: ignore[arg-type]
        except (ValueError, InputError):
            return None


def read_marks(groups: Groups) -> tuple[str, str, Marks]:
    """Return what most numbers of a column have before and after them, and what marks show."""
    before, after = _affixes(groups)
    marks = Marks()
    for shape, group in groups.numbers():
        if _fits(shape.before, before) and _fits(shape.after, after):
            marks.formatted += group.count * (not shape.is_plain)
            _count_marks(marks, shape.body, group)
    return before, after, marks


def _affixes(groups: Groups) -> tuple[str, str]:
    befores: Counter[str] = Counter()
    afters: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    for shape, group in groups.numbers():
        for part, counter in ((shape.before, befores), (shape.after, afters)):
            # The case of a unit may matter, as in mW and MW; blanks before it do not.
            spelling.setdefault(part.strip(), part)
            counter[part.strip()] += group.count
    return _usual(befores, spelling), _usual(afters, spelling)


def _usual(counter: Counter[str], spelling: dict[str, str]) -> str:
    """Return the most frequent affix; a currency sign need not stand in every cell."""
    ranking = sorted(counter, key=lambda part: -counter[part])
    best = next(iter(ranking), "")
    if not best:
        signs = [part for part in ranking if part.lower() in CURRENCIES]
        best = signs[0] if signs and counter[signs[0]] > 1 else ""
    return spelling.get(best, "")


@lru_cache(64)
def _field(number_format: str) -> NumberField:
    return NumberField(format=number_format)


def _fits(part: str, expected: str) -> bool:
    folded, usual = part.strip().lower(), expected.strip().lower()
    return folded == usual or (not folded and usual in CURRENCIES)


def _count_marks(marks: Marks, body: str, group: Group) -> None:
    found = _MARKS.findall(body.replace("e", ""))
    if not found:
        marks.ungrouped += group.count * body.startswith("L")
        return
    last, first = found[-1], found[0]
    if len(found) == 1 and last in _OTHER:
        if body[0] == "s" and body.endswith(f"{last}3"):
            marks.either[last] += group.count
            marks.example.setdefault(last, group.example)
        else:
            marks.decimal[last] += group.count
            marks.ungrouped += group.count * body.startswith("L")
        return
    marks.grouped[first] += group.count
    if last != first:
        marks.decimal[last] += group.count


def choose_reading(before: str, after: str, marks: Marks, file: FileMarks) -> NumberReading:
    """Return how a column's numbers are written."""
    mark = marks.proven or _mark_by_file(marks, file)
    if mark is None:
        common = max(marks.either, key=lambda each: marks.either[each])
        both = NumberFormat(before and _spaced(before), after, ",", ".")
        return NumberReading(str(both), ambiguous=marks.example[common])
    other = _OTHER[mark]
    group = max(marks.grouped, key=lambda each: marks.grouped[each], default="")
    if group == mark:
        group = other if marks.either[other] else ""
    elif not group and marks.either[other]:
        group = other
    example = marks.example[other] if group == other and not marks.grouped[other] else ""
    written = str(NumberFormat(before and _spaced(before), after, group, mark))
    is_plain = mark == "." and not marks.formatted
    is_plain = is_plain or len(written) > MAX_FORMAT_CHARACTERS
    return NumberReading("" if is_plain else written, grouped_example=example)


def _spaced(before: str) -> str:
    return f"{before} " if before[-1].isalnum() or before[-1] == "." else before


def _mark_by_file(marks: Marks, file: FileMarks) -> Mark | None:
    """Return the decimal mark of a column whose own cells do not prove one; None if unclear."""
    if not marks.either:
        return file.usual
    if file.chosen:
        return file.chosen
    if len(marks.either) > 1 or (marks.votes()["."] and marks.votes()[","]):
        return None
    seen: Mark = "," if marks.either[","] else "."
    is_grouped = marks.either[seen] >= MIN_GROUPED and not marks.ungrouped
    if len(file.proven) == 1:
        (mark,) = file.proven
        # Thousands without a mark beside thousands with one are a contradiction.
        return mark if mark == seen or is_grouped else None
    if seen == ".":
        return "." if marks.ungrouped or not (file.proven or file.delimiter == ";") else None
    return "." if is_grouped and not file.proven and file.delimiter != ";" else None
