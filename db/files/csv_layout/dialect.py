"""Decide from the first lines of a CSV file what delimits its cells and what quotes them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from db.files.source_file import MAX_ROW_CHARACTERS

if TYPE_CHECKING:
    from _csv import Reader

# On equal evidence the first of them: commas also stand in texts and numbers.
DELIMITERS = "\t;|,"
# No cell contains it, so a row is one cell.
NO_DELIMITER = "\x1f"
# In files with these delimiters, quotation marks are often plain characters.
UNQUOTED_DELIMITERS = "\t|"
# The number of records that are compared.
_RECORDS = 50
# In a table, at least this share of the records has its width; less if the first record has it.
_SHARE, _SHARE_FROM_FIRST = 0.8, 0.5
_SPACED_SHARE = 0.9
_QUOTED_SHARE = 0.9
_FEW = 2
# After so many records that cannot be read, the rest of the sample is not looked at.
_MAX_BROKEN = 20
_SEPARATOR = re.compile(r'"?sep=([^\w\s"\']|\t)"?[\r\n]*', re.IGNORECASE)
_ESCAPE = re.compile(r'\\(["\\])')
_SPACE_AND_QUOTE = re.compile(r' +"')


@dataclass(frozen=True)
class Dialect:
    """The delimiter, and the quotation mark, which is "" if cells are not quoted."""

    delimiter: str
    quote: str = '"'
    skips_space: bool = False
    has_escapes: bool = False
    r"""Whether a quotation mark in a cell is written \", as MySQL does."""

    def rows(self, lines: Iterable[str]) -> Reader:
        """Return a reader of the cells of each row; it raises csv.Error."""
        csv.field_size_limit(MAX_ROW_CHARACTERS)
        return csv.reader(
            (_ESCAPE.sub(_unescaped, line) for line in lines) if self.has_escapes else lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            skipinitialspace=self.skips_space,
            strict=True,
        )


def _unescaped(match: re.Match[str]) -> str:
    return '""' if match[1] == '"' else match[1]


@dataclass(frozen=True)
class Sample:
    """The first lines of a file from `first_line` on; `is_whole` if there are no others."""

    lines: list[str]
    first_line: int
    is_whole: bool

    def without_first(self) -> Sample:
        """Return the sample without its first line."""
        return replace(self, lines=self.lines[1:], first_line=self.first_line + 1)


@dataclass(frozen=True)
class Record:
    """The cells of a row and its line; `reach` is the number of cells up to the last filled one.

    A record that cannot be read has no cells.
    """

    line: int
    cells: list[str]
    reach: int

    def fits(self, width: int) -> bool:
        """Return whether this can be a row of a table with this number of columns."""
        return self.reach <= width <= len(self.cells)

    @property
    def starts_with_hash(self) -> bool:
        """Whether this can be a comment."""
        return bool(self.cells) and self.cells[0].lstrip().startswith("#")


def split(sample: Sample, dialect: Dialect) -> Iterator[Record]:
    """Yield the records that are not blank, each of them with its line in the file."""
    at = 0
    for _ in range(_MAX_BROKEN):
        rows = dialect.rows(sample.lines[at:])
        end = at
        try:
            for cells in rows:
                line, end = sample.first_line + end, at + rows.line_num
                if reach := reach_of(cells):
                    yield Record(line, cells, reach)
        except csv.Error as error:
            if "unexpected end" in str(error) and not sample.is_whole:
                return
            yield Record(sample.first_line + end, [], 0)
            at = end + 1
        else:
            return


def reach_of(cells: list[str]) -> int:
    """Return the number of cells up to the last one that is not blank."""
    reach = len(cells)
    while reach and (not cells[reach - 1] or cells[reach - 1].isspace()):
        reach -= 1
    return reach


def separator_of(line: str) -> str:
    """Return the delimiter that a line such as `sep=;` gives, "" if it is another line."""
    found = _SEPARATOR.fullmatch(line)
    return found[1] if found else ""


@dataclass(frozen=True)
class Fit:
    """How a dialect reads the first records: `fitting` of them have `width` cells.

    `start` is the first of these; `broken` records after it cannot be read. `is_table` tells
    whether enough of them fit.
    """

    dialect: Dialect
    records: list[Record]
    width: int = 1
    start: int = 0
    fitting: int = 0
    is_table: bool = False

    @property
    def broken(self) -> int:
        """The number of records of the table that cannot be read."""
        return sum(not record.cells for record in self.records[self.start :])

    @property
    def misfits(self) -> int:
        """The number of records without the width of the table."""
        return len(self.records) - self.fitting


def best_fit(sample: Sample, delimiter: str = "") -> Fit:
    """Return how the file is read; `delimiter` is known if the file itself gives it."""
    if delimiter:
        return _fit(sample, delimiter)
    fits = [_fit(sample, delimiter) for delimiter in DELIMITERS]
    tables = [fit for fit in fits if fit.is_table]
    if tables:
        return max(tables, key=lambda fit: (fit.fitting, fit.width, fit.start == 0))
    headed = [fit for fit in fits if _has_compact_header(fit)]
    if headed:
        # Its rows are bad, and are reported as such.
        widest = max(headed, key=lambda fit: fit.records[0].reach)
        return replace(widest, width=widest.records[0].reach, start=0)
    return _fit(sample, NO_DELIMITER)


def _has_compact_header(fit: Fit) -> bool:
    """Return whether the first record is like "a,b" and not a text like "Yes, please"."""
    return bool(fit.records) and fit.records[0].reach > 1 and not fit.dialect.skips_space


def _fit(sample: Sample, delimiter: str) -> Fit:
    """Return how well a delimiter fits, with the kind of quoting that fits best."""
    fit = measure(sample, Dialect(delimiter))
    if _has_spaces(fit.records):
        spaced = measure(sample, Dialect(delimiter, skips_space=True))
        fit = spaced if (spaced.fitting, -spaced.broken) >= (fit.fitting, -fit.broken) else fit
    plain = measure(sample, replace(fit.dialect, quote=""))
    if _has_apostrophes(plain.records):
        single = measure(sample, replace(fit.dialect, quote="'"))
        if _quotes_better(single, fit, plain.records):
            return single
    is_plain = fit.broken or plain.misfits < fit.misfits
    return plain if is_plain and delimiter in UNQUOTED_DELIMITERS else fit


def _has_spaces(records: list[Record]) -> bool:
    """Return whether white space follows most delimiters, or comes before a quoted cell."""
    cells = [cell for record in records for cell in record.cells[1:] if cell]
    spaced = sum(cell.startswith(" ") for cell in cells)
    return bool(cells and spaced >= _SPACED_SHARE * len(cells)) or any(
        _SPACE_AND_QUOTE.match(cell) for record in records for cell in record.cells
    )


def _has_apostrophes(records: list[Record]) -> bool:
    """Return whether about as many cells begin with ' as end with it."""
    cells = [cell.rstrip() for record in records for cell in record.cells]
    opened = sum(map(_opens, cells))
    closed = sum(_opens(cell[::-1]) for cell in cells)
    return abs(opened - closed) <= (1 - _QUOTED_SHARE) * opened > 0


def _opens(cell: str) -> bool:
    """Return whether a cell begins with an apostrophe that is not one of a doubled pair."""
    return (len(cell) - len(cell.lstrip("'"))) % 2 == 1


def _quotes_better(single: Fit, fit: Fit, plain: list[Record]) -> bool:
    """Return whether ' quotes cells; apostrophes inside of words and at their start do not count.

    More rows then have the width of the table; or as many, no cell begins with ", and one of the
    quoted cells has a doubled apostrophe in it or nearly all cells of a column are quoted.
    """
    better = single.fitting * len(fit.records) - fit.fitting * len(single.records)
    if single.broken or better < 0:
        return False
    cells = [(at, cell) for record in plain for at, cell in enumerate(record.cells)]
    quoted = [(at, cell) for at, cell in cells if _opens(cell) or cell == "''"]
    in_column = max(Counter(at for at, _ in quoted).values(), default=0)
    is_usual = 1 < in_column >= _QUOTED_SHARE * (len(plain) - 1)
    is_doubled = any("''" in cell[1:-1] for _, cell in quoted)
    has_others = any(cell.startswith('"') for _, cell in cells)
    return better > 0 or ((is_usual or is_doubled) and not has_others)


def measure(sample: Sample, dialect: Dialect) -> Fit:
    """Return how well a dialect fits, with the width of the table."""
    return measure_records(split(sample, dialect), dialect)


def measure_records(found: Iterable[Record], dialect: Dialect) -> Fit:
    """Return how well records are rows of one table, with its width."""
    records = _without_comments(found)
    if dialect.delimiter == NO_DELIMITER:
        return Fit(dialect, records, fitting=sum(record.fits(1) for record in records))
    edges = {edge for record in records for edge in (record.reach, len(record.cells))}
    fits = [_with_width(Fit(dialect, records), width) for width in sorted(edges) if width > 1]
    return max(fits, key=_strength, default=Fit(dialect, records))


def _without_comments(records: Iterable[Record]) -> list[Record]:
    """Return the first records without comments, but with rows like `#love,4` if they are many."""
    read: list[Record] = []
    others = 0
    for record in records:
        is_other = not record.starts_with_hash
        if is_other or record.reach > 1:
            read.append(record)
        others += is_other
        if others == _RECORDS:
            break
    if 2 * others < len(read):
        return read[:_RECORDS]
    return [record for record in read if not record.starts_with_hash]


def _with_width(fit: Fit, width: int) -> Fit:
    """Return the fit of a table with this number of columns."""
    fits = [record.fits(width) for record in fit.records]
    start = fits.index(True)
    share = sum(fits) / (len(fits) - start)
    # "Your wish, please" may head a list of texts of which some have a comma.
    needed = _SHARE if fit.dialect.skips_space else _SHARE_FROM_FIRST
    is_headed = start == 0 and share >= needed
    is_below = share >= _SHARE and _is_below(fit.records, start, sum(fits), width)
    is_table = is_headed or is_below
    return Fit(fit.dialect, fit.records, width, start, sum(fits), is_table)


def _is_below(records: list[Record], start: int, fitting: int, width: int) -> bool:
    """Return whether a table may stand below other lines, which may be as many as its rows.

    The last two texts of a list are no table because each of them has a comma.
    """
    is_apart = start == 0 or records[start].line > records[start - 1].line + 1
    least = _FEW if is_apart or width > _FEW else _FEW + 1
    return fitting >= max(least, len(records) / 2)


def _strength(fit: Fit) -> tuple[bool, bool, int, bool]:
    """Return what decides between two widths; on equal evidence, the smaller one comes first."""
    rows = len(fit.records) - fit.start
    is_consistent = rows > 1 and fit.fitting >= _SHARE * rows
    return fit.is_table, is_consistent, fit.fitting, fit.start == 0
