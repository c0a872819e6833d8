"""Read rows from data files (CSV, a JSON array, JSON lines), one at a time in flat memory."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from db.errors import DataFileError

# A file without line ends would otherwise be read whole. Real rows are far shorter.
MAX_ROW_CHARACTERS = 1_000_000
_READ_CHARACTERS = 1 << 16

_decode_line = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True)
class SourceRow:
    """A row as it is in the file; `fault` says what is wrong with it, if anything."""

    line: int
    values: dict[str, object]
    fault: str = ""


def read_rows(path: Path) -> Iterator[SourceRow]:
    """Yield the file's rows; raises DataFileError if the file as a whole cannot be read.

    The first character decides the format, so the file's name does not matter.
    """
    with _open(path) as file:
        first = _first_character(file)
        if first == "":
            raise DataFileError(f"{path}: is empty")
        file.seek(0)
        read = {"[": _read_array, "{": _read_lines}.get(first, _read_csv)
        try:
            yield from read(file)
        except UnicodeDecodeError:
            raise DataFileError(f"{path}: {_why_undecodable(path)}") from None
        except RecursionError:
            raise DataFileError(f"{path}: is nested too deeply") from None
        except ValueError as error:
            raise DataFileError(f"{path}: {error}") from None


# By the first bytes of a file that is not UTF-8 text: what it is, and what to do.
_OTHER_FORMATS = {
    b"PK": "is a spreadsheet or another archive; open it and save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is a spreadsheet; open it and save it as CSV UTF-8",
    b"\x1f\x8b": "is compressed; unpack it: gunzip",
    b"\xff\xfe": "is UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "is UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
    b"PAR1": "is Parquet; save it as CSV UTF-8",
    b"SQLite format 3": "is an SQLite database; export the table as CSV",
}


def _why_undecodable(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    for start, why in _OTHER_FORMATS.items():
        if head.startswith(start):
            return why
    if b"\0" in head:
        return "is not a text file; save the table as CSV UTF-8"
    quoted, new = shlex.quote(str(path)), shlex.quote(f"utf8-{path.name}")
    return (
        f"line {_undecodable_line(path)}: is not UTF-8; save it as CSV UTF-8, or convert it:"
        f" iconv -f WINDOWS-1252 -t UTF-8 {quoted} > {new}"
    )


def _undecodable_line(path: Path) -> int:
    with path.open("rb") as file:
        for line, text in enumerate(file, 1):
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                return line
    return 1


def check_rows(path: Path) -> None:
    """Read a whole file; raises DataFileError, so that no part of a broken file is imported."""
    for _ in read_rows(path):
        pass


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the header.
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror}") from None
    with file:
        yield file


def _first_character(file: IO[str]) -> str:
    try:
        while (character := file.read(1)).isspace():
            pass
    except UnicodeDecodeError:
        return "?"
    return character


def _read_csv(file: IO[str]) -> Iterator[SourceRow]:
    csv.field_size_limit(MAX_ROW_CHARACTERS)
    rows = csv.reader(file, delimiter=_delimiter(file), strict=True)
    try:
        yield from _csv_rows(rows)
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: is not CSV: {error}") from None


def _delimiter(file: IO[str]) -> str:
    """Return the delimiter that splits the header into the most cells."""
    header = next(line for line in _lines(file) if line.strip())
    file.seek(0)

    def cells(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter)))

    return max(",;\t", key=cells)


def _csv_rows(rows: Any) -> Iterator[SourceRow]:  # noqa: ANN401  csv's reader has no public name
    names = [name.strip() for name in next(row for row in rows if row)]
    if len(set(names)) < len(names):
        raise ValueError(f"line 1: two columns have the same name: {', '.join(names)}")
    end = rows.line_num
    for cells in _closed_rows(rows):
        # A quoted cell may contain line ends, so a row starts after the end of the previous row.
        line, end = end + 1, rows.line_num
        if not cells:
            continue
        if len(cells) != len(names):
            yield SourceRow(line, {}, f"has {len(cells)} cells, the header has {len(names)}")
            continue
        # An empty cell is left out, so that the field's default applies.
        yield SourceRow(line, {n: c for n, c in zip(names, cells, strict=True) if c.strip()})


def _closed_rows(rows: Any) -> Iterator[list[str]]:  # noqa: ANN401
    """Yield the cells of each row; raises ValueError if a quotation mark is never closed."""
    while True:
        first_line = rows.line_num + 1
        try:
            yield next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                message = f"line {first_line}: a quotation mark is opened and never closed"
                raise ValueError(message) from None
            raise


def _lines(file: IO[str]) -> Iterator[str]:
    """Yield lines; raises ValueError for a line longer than MAX_ROW_CHARACTERS."""
    while text := file.readline(MAX_ROW_CHARACTERS + 1):
        if len(text) > MAX_ROW_CHARACTERS:
            raise ValueError(f"a line has more than {MAX_ROW_CHARACTERS:,} characters")
        yield text


def _read_lines(file: IO[str]) -> Iterator[SourceRow]:
    for line, text in enumerate(_lines(file), 1):
        if not text.strip():
            continue
        try:
            yield _row(line, _decode_line(text))
        except msgspec.ValidationError as error:
            is_not_object = str(error).startswith("Expected `object`")
            yield SourceRow(line, {}, "is not a JSON object" if is_not_object else str(error))
        except msgspec.DecodeError as error:
            raise ValueError(f"line {line}: is not JSON: {error}") from None


def _row(line: int, values: dict[str, object]) -> SourceRow:
    return SourceRow(line, {name: value for name, value in values.items() if value is not None})


def _read_array(file: IO[str]) -> Iterator[SourceRow]:
    for line, value in _array_items(file):
        if isinstance(value, dict):
            yield _row(line, value)
        else:
            yield SourceRow(line, {}, "is not a JSON object")


def _array_items(file: IO[str]) -> Iterator[tuple[int, object]]:
    """Yield the line and value of each item, with only a part of the file in memory."""
    text = _Window(file)
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
    else:
        while True:
            text.peek()
            line = text.line
            yield line, text.value()
            if text.peek() == "]":
                text.expect("]")
                break
            text.expect(",")
    if text.peek():
        raise ValueError(f"line {text.line}: there is more text after the end of the array")


# The characters that can follow a value. The window's end, "", is not one of them.
_ENDS = frozenset(" \t\r\n,]")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


class _Window:
    """The part of a JSON file that is in memory, and the position in it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant)
        self.line = 1

    def peek(self) -> str:
        """Skip white space and return the next character, "" at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self.line += self._text[self._at] == "\n"
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._extend():
                return ""

    def expect(self, expected: str) -> None:
        """Skip white space and the expected character; raises ValueError for another."""
        if self.peek() != expected:
            raise ValueError(f"line {self.line}: is not JSON: expected {expected!r}")
        self._at += 1

    def value(self) -> object:
        """Return the next JSON value; raises ValueError if there is none."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except ValueError as error:
                if len(self._text) - self._at > MAX_ROW_CHARACTERS or not self._extend():
                    message = getattr(error, "msg", str(error))
                    raise ValueError(f"line {self.line}: is not JSON: {message}") from None
                continue
            # A number at the end of the window may continue after it.
            if self._text[end : end + 1] not in _ENDS and self._extend():
                continue
            self.line += self._text.count("\n", self._at, end)
            self._at = end
            return value

    def _extend(self) -> bool:
        """Read more of the file; return False at its end."""
        read = self._file.read(_READ_CHARACTERS)
        self._text = self._text[self._at :] + read
        self._at = 0
        return bool(read)
