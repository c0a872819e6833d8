"""Read the table in an Excel workbook (.xlsx, .xlsm), once, into typed rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from db.errors import DataFileError
from db.files.compression import check_directory
from db.files.source_file import Layout, Source, SourceRow, quote
from db.files.spool import spooled

from .excel_archive import WorkbookArchive
from .excel_sheet import Sheet, Workbook, read_workbook
from .excel_table import read_table

_SHOWN_SHEETS = 5
_OLD_RESULTS = (
    "the program that wrote the file has not calculated its formulas, so their results may be"
    " wrong; open it in a spreadsheet program and save it"
)


@contextmanager
def open_excel(path: Path) -> Iterator[Source]:
    """Open a workbook's first sheet with cells; raises DataFileError.

    Values have the types of their cells; dates are ISO 8601 text, and durations are seconds. The
    lines of rows are the sheet's. Of a formula, the stored result is read. Merged cells have a
    value only in the first of them, and hidden rows and columns are read like others.
    """
    with ExitStack() as stack:
        with _errors_of(path), _open_archive(path) as archive:
            layout, rows = _table(archive)
            source = stack.enter_context(spooled(str(path), layout, rows))
        yield source


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Raise a DataFileError that names the file for each error in it."""
    try:
        with warnings.catch_warnings():
            # openpyxl warns of what it leaves out, such as pictures.
            warnings.simplefilter("ignore")
            yield
    except DataFileError:
        raise
    except MemoryError:
        raise DataFileError(f"{path}: needs too much memory; save the sheet as CSV") from None
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror or quote(str(error))}") from None
    except ValueError as error:
        raise DataFileError(f"{path}: {_one_line(error)}") from None
    except Exception as error:  # noqa: BLE001  openpyxl raises whatever damaged XML leads it to
        kind = type(error).__name__
        raise DataFileError(
            f"{path}: is a damaged workbook ({kind}: {quote(str(error))}); open it in a spreadsheet"
            " program and save it"
        ) from None


def _one_line(error: ValueError) -> str:
    """Return an error's message as one line."""
    return " ".join(str(error).split())


@contextmanager
def _open_archive(path: Path) -> Iterator[WorkbookArchive]:
    with path.open("rb") as file:
        check_directory(file)
        with WorkbookArchive(path) as archive:
            yield archive


def _table(archive: WorkbookArchive) -> tuple[Layout, Iterator[SourceRow]]:
    """Return how the first sheet with cells is read, and its rows."""
    workbook = read_workbook(archive)
    sheets = workbook.sheets_with_values()
    if not sheets:
        raise ValueError("has no sheet with cells")
    found, has_formulas = workbook.measured_rows(sheets[0])
    layout, rows = read_table(found)
    notes = (*_sheet_notes(sheets), *_formula_notes(workbook, has_formulas=has_formulas))
    return replace(layout, notes=(*notes, *layout.notes)), rows


def _sheet_notes(sheets: list[Sheet]) -> Iterator[str]:
    first, *others = [quote(sheet.name) for sheet in sheets]
    if others:
        more = f" and {len(others) - _SHOWN_SHEETS:,} more" if len(others) > _SHOWN_SHEETS else ""
        shown = ", ".join(others[:_SHOWN_SHEETS])
        yield f"the sheet {first} is read; these have cells too and are not read: {shown}{more}"


def _formula_notes(workbook: Workbook, *, has_formulas: bool) -> Iterator[str]:
    if has_formulas and not workbook.is_calculated:
        yield _OLD_RESULTS
