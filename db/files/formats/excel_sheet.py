"""The sheets of an Excel workbook and their cells, as openpyxl reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, cast

from openpyxl import DEFUSEDXML
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import FORMULA_TAG, VALUE_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS

from db.files.source_file import MAX_ROW_CHARACTERS
from db.files.typed_value import plain_value

from .excel_archive import (
    MAX_SHEET_BYTES,
    MAX_TEXTS_BYTES,
    WorkbookArchive,
    check_texts,
    has_values,
    measure_sheet,
)
from .excel_table import SheetRow

if not DEFUSEDXML:
    raise ModuleNotFoundError("openpyxl reads XML safely only with defusedxml", name="defusedxml")

# Cells share texts, so a sheet can have far more characters than its file.
MAX_SHEET_CHARACTERS = 1 << 30
# How Excel writes line ends and tabs in texts.
_SPACES = {"_x000D_": "\r", "_x000d_": "\r", "_x000A_": "\n", "_x000a_": "\n", "_x0009_": "\t"}
_NOT_CALCULATED = object()


@dataclass(frozen=True)
class Sheet:
    """A sheet by its name and its part in the archive."""

    name: str
    part: str
    is_visible: bool


@dataclass
class Workbook:
    """The parts of a workbook that its cells need; nothing else in it is opened."""

    archive: WorkbookArchive
    sheets: list[Sheet]
    texts: list[str]
    book: Any
    is_calculated: bool
    _percents: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        styles = self.book._cell_styles  # noqa: SLF001  openpyxl has no other way to ask
        custom = self.book._number_formats  # noqa: SLF001
        self._percents = frozenset(
            number for number, style in enumerate(styles) if "%" in _format(style.numFmtId, custom)
        )

    def sheets_with_values(self) -> list[Sheet]:
        """Return the sheets that have cells, those that are not hidden first."""
        found = []
        for sheet in sorted(self.sheets, key=lambda sheet: not sheet.is_visible):
            with self.archive.open_unread(sheet.part, MAX_SHEET_BYTES) as part:
                if has_values(part):
                    found.append(sheet)
        return found

    def measured_rows(self, sheet: Sheet) -> tuple[Iterator[SheetRow], bool]:
        """Return the rows of a sheet that have cells, and whether it has formulas."""
        with self.archive.open_unread(sheet.part, MAX_SHEET_BYTES) as part:
            extent = measure_sheet(part)
        return self._rows(sheet, extent.rows, extent.end), extent.has_formulas

    def _rows(self, sheet: Sheet, count: int, end: int) -> Iterator[SheetRow]:
        characters = 0
        with self.archive.open_unread(sheet.part, MAX_SHEET_BYTES) as part:
            parser = _CellParser(
                cast("IO[bytes]", _Beginning(part, end)),
                self.texts,
                data_only=True,
                epoch=self.book.epoch,
                date_formats=self.book._date_formats,  # noqa: SLF001
                timedelta_formats=self.book._timedelta_formats,  # noqa: SLF001
            )
            for number, cells in islice(parser.parse(), count):
                row = self._row(number, cells)
                characters += _check_characters(row)
                if characters > MAX_SHEET_CHARACTERS:
                    raise ValueError(f"has more than {MAX_SHEET_CHARACTERS:,} characters")
                if row.cells or row.fault:
                    yield row

    def _row(self, number: int, cells: list[dict[str, Any]]) -> SheetRow:
        values: dict[int, object] = {}
        percents = set()
        fault = ""
        for cell in cells:
            raw, column = cell["value"], cell["column"]
            if raw is _NOT_CALCULATED:
                fault = fault or _without_result(number, column)
                continue
            value = _spaced(raw) if isinstance(raw, str) else plain_value(raw)
            if value is not None:
                values[column] = value
                if cell["style_id"] in self._percents and isinstance(value, int | float):
                    percents.add(column)
        return SheetRow(number, values, frozenset(percents), fault)


def _format(number: int, custom: list[str]) -> str:
    """Return the number format with this number in a style."""
    at = number - BUILTIN_FORMATS_MAX_SIZE
    return custom[at] if 0 <= at < len(custom) else BUILTIN_FORMATS.get(number, "")


def _without_result(row: int, column: int) -> str:
    return (
        f"{get_column_letter(column)}{row} has a formula without a result; open the file in a"
        " spreadsheet program and save it"
    )


def _spaced(text: str) -> str | None:
    """Return a text without white space around it; None if nothing is left, as for CSV."""
    if "_x00" in text:
        for written, space in _SPACES.items():
            text = text.replace(written, space)
    return text.strip() or None


def _check_characters(row: SheetRow) -> int:
    count = sum(len(value) if isinstance(value, str) else 1 for value in row.cells.values())
    if count > MAX_ROW_CHARACTERS:
        raise ValueError(f"row {row.number} has more than {MAX_ROW_CHARACTERS:,} characters")
    return count


class _CellParser(WorkSheetParser):
    """A parser of cells that tells apart a formula without a result and an empty cell."""

    def parse_cell(self, element: Any) -> dict[str, Any]:  # noqa: ANN401
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["value"] is None and element.find(FORMULA_TAG) is not None:
            # A program that calculates writes an empty text as a text.
            has_result = element.get("t") == "str" and element.find(VALUE_TAG) is not None
            cell["value"] = None if has_result else _NOT_CALCULATED
        return cell


class _Beginning:
    """The first bytes of a part, so that nothing after the rows is read."""

    def __init__(self, part: IO[bytes], size: int) -> None:
        self._part = part
        self._left = size

    def read(self, size: int = 1 << 16, /) -> bytes:
        """Return the next bytes; raises ValueError after the last one."""
        if not self._left:
            raise ValueError("its sheet ends within a row")
        text = self._part.read(min(size, self._left))
        self._left -= len(text)
        return text


def read_workbook(archive: WorkbookArchive) -> Workbook:
    """Return what the cells of a workbook need; its links, macros and images are not opened."""
    # It is given the file, since it does not open one by another name than .xlsx.
    reader = ExcelReader(
        cast("IO[bytes]", archive.fp), read_only=True, data_only=True, keep_links=False
    )
    reader.archive.close()
    reader.archive = archive
    reader.read_manifest()
    _check_texts(archive, reader.package)
    reader.read_strings()
    reader.read_workbook()
    apply_stylesheet(archive, reader.wb)
    sheets = [
        Sheet(str(sheet.name), target.target, sheet.state == "visible")
        for sheet, target in reader.parser.find_sheets()
        if "chartsheet" not in target.Type and target.target in reader.valid_files
    ]
    is_calculated = not getattr(reader.wb.calculation, "fullCalcOnLoad", False)
    return Workbook(archive, sheets, reader.shared_strings, reader.wb, is_calculated)


def _check_texts(archive: WorkbookArchive, package: Any) -> None:  # noqa: ANN401
    found = package.find(SHARED_STRINGS)
    if found is not None:
        with archive.open_unread(found.PartName[1:], MAX_TEXTS_BYTES) as part:
            check_texts(part)
