"""Recognise tables whose cells are separated by blanks or by another rare delimiter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from db.files.source_file import quote

from .dialect import Dialect, Fit, Record, Sample, split
from .header_evidence import weigh

BLANK = " "
# By delimiter: how many rows show it. A colon also stands in times and texts.
_RARE = {"^": 1, "~": 1, ":": 3}
# So many rows below the names show that each of them has as many cells.
_LEAST_ROWS = 3
_SHARE = 0.8


def rare_fit(sample: Sample, fit: Fit) -> Fit:
    """Return how a table with a rare delimiter is read, or the given fit if it is none.

    All its lines have as many cells as the first one, which has the columns' names. Raises
    ValueError for a table whose cells are clear but that cannot be read.
    """
    if fit.width > 1 and fit.start == 0:
        return fit
    for delimiter, least in _RARE.items():
        found = _consistent(sample, Dialect(delimiter), least)
        # "Note: a" and "Time: 10" are texts, and not two cells.
        if found and not any(cell.startswith(" ") for record in found for cell in record.cells):
            return _as_fit(found, Dialect(delimiter))
    # Blanks also stand in the cells of a table that has a title above it.
    return fit if fit.width > 1 else _blank_fit(sample, fit)


def _blank_fit(sample: Sample, fit: Fit) -> Fit:
    blank = Dialect(BLANK, skips_space=True)
    found = _consistent(sample, blank)
    if found and _has_plain_names(found[0]) and _has_numbers(found):
        return _as_fit([_without_last_blank(record) for record in found], blank)
    _refuse_row_names(sample, blank)
    _refuse_uneven(sample, blank)
    _refuse_quoted_lines(sample)
    return fit


def _consistent(sample: Sample, dialect: Dialect, least: int = _LEAST_ROWS) -> list[Record]:
    """Return the records of a table in which each line has as many cells; none if it is none."""
    records = list(_records(sample, dialect))
    widths = {record.reach for record in records}
    is_table = len(widths) == 1 and min(widths) > 1 and len(records) > least
    return records if is_table and _are_filled(records[:1]) else []


def _records(sample: Sample, dialect: Dialect) -> Iterator[Record]:
    return (record for record in split(sample, dialect) if not record.starts_with_hash)


def _as_fit(records: list[Record], dialect: Dialect) -> Fit:
    width = records[0].reach
    return Fit(dialect, records, width, 0, len(records), is_table=True)


def _are_filled(records: list[Record]) -> bool:
    return all(cell.strip() for record in records for cell in record.cells[: record.reach])


def _has_numbers(records: list[Record]) -> bool:
    """Return whether a column has numbers below a word; texts of two words have none."""
    header, *rows = records
    return weigh(header, rows, header.reach).words > 0


def _has_plain_names(header: Record) -> bool:
    """Return whether no name ends like a part of a text, as in "note: text"."""
    return not any(cell.endswith((":", ",", ";", ".", "?", "!")) for cell in header.cells)


def _without_last_blank(record: Record) -> Record:
    return replace(record, cells=record.cells[: record.reach])


def _refuse_row_names(sample: Sample, dialect: Dialect) -> None:
    """Raise ValueError for a table of R, whose rows have a cell more than the names."""
    records = list(_records(sample, dialect))
    rows = records[1:]
    width = records[0].reach if records else 0
    is_longer = bool(width) and all(row.reach == width + 1 for row in rows)
    if len(rows) < _LEAST_ROWS or not is_longer:
        return
    header = Record(records[0].line, ["", *records[0].cells], width + 1)
    if _has_numbers([header, *rows]) and _are_filled(rows):
        raise ValueError(
            f"line {header.line} names {width} columns, and each row has {width + 1} cells between"
            " blanks, as R writes row names; write it with write.csv(table, row.names = FALSE)"
        )


def _refuse_uneven(sample: Sample, dialect: Dialect) -> None:
    """Raise ValueError for a table between blanks with a row that has more or fewer cells."""
    records = list(_records(sample, dialect))
    even = [record for record in records if record.reach == records[0].reach]
    other = next((record for record in records if record.reach != records[0].reach), None)
    is_table = len(even) > _LEAST_ROWS and even[0].reach > 1 and len(even) >= _SHARE * len(records)
    if other and is_table and _has_plain_names(even[0]) and _has_numbers(even):
        raise ValueError(
            f"line {records[0].line} has {records[0].reach} cells between blanks, and line"
            f" {other.line} has {other.reach}; save the table as CSV with commas"
        )


def _refuse_quoted_lines(sample: Sample) -> None:
    """Raise ValueError if each line as a whole is in quotation marks, with commas in it."""
    lines = [line.strip() for line in sample.lines if line.strip()]
    if len(lines) <= _LEAST_ROWS or not all(map(_is_quoted, lines)):
        return
    inner = replace(sample, lines=[f"{line[1:-1]}\n" for line in lines], is_whole=True)
    for delimiter in ",;\t":
        found = _consistent(inner, Dialect(delimiter))
        if found and _has_numbers(found):
            raise ValueError(
                f"line {sample.first_line} and the others are in quotation marks as a whole, so"
                f" each row is one cell ({quote(lines[0])}); save the table as CSV without them"
            )


def _is_quoted(line: str) -> bool:
    return len(line) > 1 and line[0] == line[-1] == '"' and '"' not in line[1:-1]
