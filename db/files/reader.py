"""Read rows from data files in flat memory: CSV, JSON (compressed too), Excel and Parquet."""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from db.errors import DataFileError

from .compression import ZIP_START, file_names
from .formats.csv_reader import csv_layout, read_csv
from .formats.json_object import braced_notes, read_braced
from .formats.json_reader import read_json_array
from .source_file import (
    MAX_ROW_CHARACTERS,
    Layout,
    Source,
    SourceRow,
    digest_of_file,
    open_text,
    why_undecodable,
)

__all__ = [
    "MAX_ROW_CHARACTERS",
    "BadRows",
    "Layout",
    "Source",
    "SourceRow",
    "check_rows",
    "open_source",
    "read_layout",
    "read_rows",
]

Format: TypeAlias = Literal["text", "excel", "parquet"]

SHOWN_FAULTS = 20
# By the first character of a JSON file.
_JSON = {"[": read_json_array, "{": read_braced}
_PARQUET_START = b"PAR1"
_WORKBOOK = "xl/workbook"


@dataclass
class BadRows:
    """How many rows were bad, and the first faults as `SOURCE:LINE: reason`."""

    bad: int = 0
    faults: list[str] = field(default_factory=list)

    def add_fault(self, source: str, line: int, fault: str) -> None:
        """Count a bad row, and keep its fault if it is among the first SHOWN_FAULTS."""
        self.bad += 1
        if len(self.faults) < SHOWN_FAULTS:
            self.faults.append(f"{source}:{line}: {fault}")


def open_source(path: Path) -> AbstractContextManager[Source]:
    """Open a data file to be read; raises DataFileError.

    The first bytes decide the format, so the file's name does not matter.
    """
    return _OPENERS[format_of(path)](path)


def format_of(path: Path) -> Format:
    """Return the format of a file by its first bytes; raises DataFileError if there is none."""
    try:
        _check_regular(path)
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror}") from None
    if start == _PARQUET_START:
        return "parquet"
    return "excel" if start == ZIP_START and _is_workbook(file_names(path)) else "text"


def _check_regular(path: Path) -> None:
    """Raise DataFileError for a pipe or a device, which can be read only once."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise DataFileError(f"{path}: is a pipe or a device; write its content into a file first")


def _is_workbook(names: Collection[str]) -> bool:
    """Return whether an archive has these files because it is a workbook of Excel's XML format."""
    # Microsoft 365 numbers the part, as in xl/workbook2.xml.
    parts = [name for name in names if name.startswith(_WORKBOOK) and name.endswith(".xml")]
    return bool(parts) and "[Content_Types].xml" in names


@dataclass(frozen=True)
class TextFile:
    """A file of text: CSV or JSON. The first character decides which of them it is."""

    path: Path

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.path)

    def layout(self) -> Layout:
        """Return how the file is read, judged by its first rows; raises DataFileError."""
        with errors_of(self.path):
            first = first_character(self.path)
            if first == "[":
                return Layout("", (), 0, ())
            with open_text(self.path) as file:
                if first == "{":
                    return Layout("", (), 0, braced_notes(file))
                return csv_layout(file)

    def rows(self) -> Iterator[SourceRow]:
        """Yield the file's rows; raises DataFileError if the file as a whole cannot be read."""
        with errors_of(self.path):
            read = _JSON.get(first_character(self.path), read_csv)
            # Line ends in JSON are not part of a value, so Python may translate them.
            with open_text(self.path, newline="" if read is read_csv else None) as file:
                yield from read(file)

    def digest(self) -> bytes:
        """Return SHA-256 over the file."""
        return digest_of_file(self.path)


@contextmanager
def _open_text_file(path: Path) -> Iterator[Source]:
    yield TextFile(path)


@contextmanager
def _open_excel(path: Path) -> Iterator[Source]:
    with needed_packages(path, "Excel"):
        from .formats.excel_reader import open_excel  # noqa: PLC0415  needs optional packages

    with open_excel(path) as source:
        yield source


@contextmanager
def _open_parquet(path: Path) -> Iterator[Source]:
    with needed_packages(path, "Parquet"):
        from .formats.parquet_reader import open_parquet  # noqa: PLC0415  needs an optional package

    with open_parquet(path) as source:
        yield source


@contextmanager
def needed_packages(path: Path, name: str) -> Iterator[None]:
    """Raise DataFileError with the command that installs the packages if one is missing."""
    try:
        yield
    except ImportError:
        raise DataFileError(
            f"{path}: is {name}; to read it run: pip install -r requirements-sources.txt"
        ) from None


_OPENERS: dict[Format, Callable[[Path], AbstractContextManager[Source]]] = {
    "text": _open_text_file,
    "excel": _open_excel,
    "parquet": _open_parquet,
}


def read_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the rows of a file; raises DataFileError if the file as a whole cannot be read."""
    with open_source(path) as source:
        yield from source.rows()


def read_layout(path: Path) -> Layout:
    """Return how a file is read, judged by its first rows; raises DataFileError."""
    with open_source(path) as source:
        return source.layout()


def check_rows(source: Source) -> int:
    """Read a whole source and return how many rows it has.

    Raises DataFileError, so that no part of a broken source is imported.
    """
    return sum(1 for _ in source.rows())


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Raise a DataFileError that names the file for each error that it can cause."""
    try:
        yield
    except UnicodeDecodeError:
        raise DataFileError(f"{path}: {_why_undecodable(path)}") from None
    except RecursionError:
        raise DataFileError(f"{path}: is nested too deeply") from None
    except ValueError as error:
        raise DataFileError(f"{path}: {error}") from None


def _why_undecodable(path: Path) -> str:
    try:
        return why_undecodable(path)
    except ValueError as damaged:
        # Its bytes cannot be unpacked to the end.
        return str(damaged)


def first_character(path: Path) -> str:
    with open_text(path) as file:
        try:
            while (character := file.read(1)).isspace():
                pass
        except UnicodeDecodeError:
            return "?"
    if not character:
        raise ValueError("is empty")
    return character
