"""Find the record with the columns' names among the first records of a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from db.files.source_file import MAX_QUOTED_CHARACTERS, quote

from .column_names import ColumnNames, name_columns
from .dialect import Fit, Record
from .header_evidence import has_number, weigh

# Further lines are counted in a note and not named.
_SHOWN = 5
_MAX_TITLES = 20
# A header of so many filled columns has more than one name, and so many rows show what they are.
_SEVERAL = 3
_ROWS = 50
_CELLS = 20


class UnclearNames(ValueError):
    """Two lines of different length may have the columns' names."""


@dataclass(frozen=True)
class Header:
    """The line and names of the header; `has_comments` if the first lines contain comments."""

    line: int
    columns: ColumnNames
    has_comments: bool
    notes: tuple[str, ...]

    def is_full(self, cells: Sequence[str], reach: int) -> bool:
        """Return whether a row has a cell for each name, and no filled cell beyond the header."""
        return len(cells) >= self.columns.required and reach <= len(self.columns.names)

    def used_names(self, records: Sequence[Record]) -> tuple[str, ...]:
        """Return the columns' names; one without a name only if a record has a value in it."""
        filled = {
            at
            for record in records
            if record.line > self.line
            for at, cell in enumerate(record.cells)
            if at in self.columns.unnamed and cell.strip()
        }
        empty = self.columns.unnamed - filled
        return tuple(name for at, name in enumerate(self.columns.names) if at not in empty)


def find_header(fit: Fit, records: list[Record]) -> Header:
    """Return the header; raises ValueError if there is none, UnclearNames if it may be two."""
    fitting = [record for record in records if record.fits(fit.width)]
    if not fitting:
        broken = next((record for record in records if not record.cells), None)
        raise ValueError(_broken(broken) if broken else "has no line with the columns' names")
    at = _find(fitting, fit.width)
    header, rows = fitting[at], fitting[at + 1 :]
    skipped = [record for record in records if record.line < header.line]
    titles = [record for record in skipped if not record.starts_with_hash]
    _check_one_header(header, rows, fit.width)
    _check_names(header, rows, skipped, fit)
    columns = name_columns(header.line, header.cells)
    found = Header(header.line, columns, has_comments=False, notes=())
    comments = [record for record in records if _is_comment(record, found)]
    notes = (*_title_notes(titles), *_comment_notes(comments), *columns.notes)
    return Header(header.line, columns, bool(comments), notes)


def _is_comment(record: Record, header: Header) -> bool:
    is_above = record.line < header.line
    return record.starts_with_hash and (is_above or not header.is_full(record.cells, record.reach))


def _find(fitting: list[Record], width: int) -> int:
    """Return which of the records is the header: mostly the first one.

    Titles such as `Sales report 2024,,` and facts such as `Station:,Lyon,,` fill fewer cells from
    the left than the header below them, and a comment such as `# read on, 4 May, 2024` is followed
    by names. `#id,town,rent` is not, and a header that lacks names is followed by a row.
    """
    found = filled_above = 0
    is_several = False
    for at, record in enumerate(fitting[:_MAX_TITLES]):
        filled = _filled(record, width)
        if at and filled <= filled_above:
            if not _is_title(record, width):
                break
            is_several = True
            continue
        is_below = bool(at) and _is_header_below(record, fitting[at + 1 :], width, filled_above)
        if is_below and (not is_several or _is_full_table(fitting[at:], width)):
            found = at
        if not record.starts_with_hash:
            filled_above = max(filled_above, record.reach if record.reach == filled else width)
    return found


def _is_title(record: Record, width: int) -> bool:
    """Return whether a record fills at most half of the cells, from the left."""
    return record.reach == _filled(record, width) and 2 * record.reach <= width


def _is_full_table(records: list[Record], width: int) -> bool:
    """Return whether the first record, and on average those below it, have no empty cell."""
    filled = [_filled(record, width) for record in records[:_ROWS]]
    return filled[0] == width and len(filled) > _SEVERAL and median(filled) == width


def _is_header_below(record: Record, rows: list[Record], width: int, filled_above: int) -> bool:
    """Return whether the records above this one are titles or comments."""
    if width == 1:
        return not record.starts_with_hash
    verdict = weigh(record, rows, width).verdict
    return verdict == "names" or (verdict == "unknown" and 0 < 2 * filled_above <= record.reach)


def _check_one_header(header: Record, rows: list[Record], width: int) -> None:
    """Raise ValueError if the line below the header looks like a header, too."""
    if len(rows) <= _SEVERAL or has_number(rows[0], width):
        return
    if weigh(rows[0], rows[1:], width).is_surely_names:
        raise ValueError(
            f"{_described(header)} and {_described(rows[0])} both look like the columns' names;"
            " keep only one of these lines"
        )


def _check_names(header: Record, rows: list[Record], skipped: list[Record], fit: Fit) -> None:
    """Raise ValueError if the header is a row, or may be one: then the file has no names."""
    verdict = weigh(header, rows, fit.width).verdict
    above = _line_above(header, skipped, fit.width)
    if above and not above.cells:
        raise ValueError(_broken(above))
    if above and verdict != "names":
        raise UnclearNames(
            f"{_described(above)} has {_cells(above)} and {_described(header)} has"
            f" {_cells(header)}, so it is not clear which has the columns' names; let one line name"
            f" each column, and put cells with {_named(fit.dialect.delimiter)} in quotation marks"
        )
    if _gives_counts(header, rows, fit.width):
        raise ValueError(
            f"{_described(header)} gives the numbers of rows and columns; name each column there"
        )
    if verdict == "row":
        raise ValueError(
            f"{_described(header)} looks like a row; add a line with the columns' names above it"
        )
    filled = median([_filled(row, fit.width) for row in rows[:_ROWS]] or [0])
    if _filled(header, fit.width) == 1 and filled >= _SEVERAL:
        raise ValueError(
            f"{_described(header)} names only one column of {fit.width:,}; name each column there"
        )


def _gives_counts(header: Record, rows: list[Record], width: int) -> bool:
    """Return whether the first cells are the numbers of rows and of columns but the last one."""
    first, second = (cell.strip() for cell in header.cells[:2]) if width > _SEVERAL else ("", "")
    return second == str(width - 1) and first.isdecimal() and int(first[:9]) >= len(rows)


def _line_above(header: Record, skipped: list[Record], width: int) -> Record | None:
    """Return the record directly above the header if it may be the header, as "#id,town" may."""
    above = skipped[-1] if skipped else None
    if not above or above.line < header.line - 1:
        return None
    is_comment = above.starts_with_hash and above.reach < max(width, 2)
    return None if is_comment else above


def _broken(record: Record) -> str:
    return (
        f"line {record.line}: is not CSV: a quotation mark is opened and never closed, or text"
        " follows the one that closes a cell"
    )


def _filled(record: Record, width: int) -> int:
    return sum(bool(cell.strip()) for cell in record.cells[:width])


def _described(record: Record) -> str:
    """Return a record's line and what stands there."""
    shown = record.cells[: min(record.reach, _CELLS)]
    cells = quote(", ".join(cell.strip()[:MAX_QUOTED_CHARACTERS] for cell in shown))
    return f"line {record.line} ({cells})" if cells else f"line {record.line}"


def _cells(record: Record) -> str:
    return f"{record.reach:,} cell{'s' * (record.reach != 1)}"


def _named(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else f'"{delimiter}"'


def _title_notes(titles: list[Record]) -> list[str]:
    if len(titles) == 1:
        return [f"{_described(titles[0])} is a title and was left out"]
    if titles:
        return [f"{_lines(titles)} are above the columns' names and were left out"]
    return []


def _comment_notes(comments: list[Record]) -> list[str]:
    """Return a sentence that also tells about comments after the first rows."""
    if not comments:
        return []
    where = _lines(comments)
    return [f"lines that start with # and are no full rows were left out as comments: {where}"]


def _lines(records: list[Record]) -> str:
    shown = ", ".join(str(record.line) for record in records[:_SHOWN])
    more = f" and {len(records) - _SHOWN:,} more" if len(records) > _SHOWN else ""
    return f"line{'s' * (len(records) > 1)} {shown}{more}"
