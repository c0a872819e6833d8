"""Read rows from data files (CSV, a JSON array or object, JSON lines), in flat memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from db.errors import DataFileError

from .csv_reader import csv_layout, read_csv
from .json_object import braced_notes, read_braced
from .json_reader import read_json_array
from .source_file import MAX_ROW_CHARACTERS, Layout, SourceRow, open_text, why_undecodable

__all__ = [
    "MAX_ROW_CHARACTERS",
    "BadRows",
    "Layout",
    "SourceRow",
    "check_rows",
    "read_layout",
    "read_rows",
]

SHOWN_FAULTS = 20
# By the first character of a JSON file.
_JSON = {"[": read_json_array, "{": read_braced}


@dataclass
class BadRows:
    """How many rows were bad, and the first faults as `FILE:LINE: reason`."""

    bad: int = 0
    faults: list[str] = field(default_factory=list)

    def add_fault(self, path: Path, line: int, fault: str) -> None:
        """Count a bad row, and keep its fault if it is among the first SHOWN_FAULTS."""
        self.bad += 1
        if len(self.faults) < SHOWN_FAULTS:
            self.faults.append(f"{path}:{line}: {fault}")


def read_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the file's rows; raises DataFileError if the file as a whole cannot be read.

    The first character decides the format, so the file's name does not matter.
    """
    with _errors_of(path):
        read = _JSON.get(_first_character(path), read_csv)
        # Line ends in JSON are not part of a value, so Python may translate them.
        with open_text(path, newline="" if read is read_csv else None) as file:
            yield from read(file)


def check_rows(path: Path) -> None:
    """Read a whole file; raises DataFileError, so that no part of a broken file is imported."""
    for _ in read_rows(path):
        pass


def read_layout(path: Path) -> Layout:
    """Return how the file is read, judged by its first rows; raises DataFileError."""
    with _errors_of(path):
        first = _first_character(path)
        if first == "[":
            return Layout("", (), 0, ())
        with open_text(path) as file:
            if first == "{":
                return Layout("", (), 0, braced_notes(file))
            return csv_layout(file)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Raise a DataFileError that names the file for each error that it can cause."""
    try:
        yield
    except UnicodeDecodeError:
        raise DataFileError(f"{path}: {why_undecodable(path)}") from None
    except RecursionError:
        raise DataFileError(f"{path}: is nested too deeply") from None
    except ValueError as error:
        raise DataFileError(f"{path}: {error}") from None


def _first_character(path: Path) -> str:
    with open_text(path) as file:
        try:
            while (character := file.read(1)).isspace():
                pass
        except UnicodeDecodeError:
            return "?"
    if not character:
        raise ValueError("is empty")
    return character
