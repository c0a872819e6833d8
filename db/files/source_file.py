"""Data files and other sources of rows: their rows, their lines, and why they cannot be decoded."""

from __future__ import annotations

import codecs
import hashlib
import io
import shlex
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import msgspec

from db.errors import DataFileError

from .compression import open_bytes

# A file without line ends would otherwise be read whole. Real rows are far shorter.
MAX_ROW_CHARACTERS = 1_000_000
MAX_QUOTED_CHARACTERS = 60
_READ_BYTES = 1 << 16


class SourceRow(msgspec.Struct, frozen=True):
    """A row as it is in the file; `fault` says what is wrong with it, if anything.

    A row with a fault keeps its values where its source can tell them apart.
    """

    line: int
    values: dict[str, object]
    fault: str = ""


@dataclass(frozen=True)
class Layout:
    """How a file is read; `notes` has a sentence for each thing that is understood specially.

    For JSON, the delimiter is "", there are no names, and the line of the header is 0. `names`
    contains a column without a name only if one of the first rows has a value in it.
    """

    delimiter: str
    names: tuple[str, ...]
    header_line: int
    notes: tuple[str, ...]


def position_name(position: int, names: Collection[str]) -> str:
    """Return a name for a column right of those in the header, counted from 1."""
    return unused_name(f"column_{position}", names)


def unused_name(name: str, taken: Collection[str]) -> str:
    """Return a name for a further column; one that is taken gets a number, as prediction_2."""
    new, number = name, 1
    while new in taken:
        number += 1
        new = f"{name}_{number}"
    return new


class Source(Protocol):
    """A table to be read, such as a file or the result of a query, as often as is needed.

    `name` is what messages call it. `rows` and `layout` raise DataFileError if the source as a
    whole cannot be read; `digest` is SHA-256 over its content.
    """

    @property
    def name(self) -> str: ...

    def layout(self) -> Layout: ...

    def rows(self) -> Iterator[SourceRow]: ...

    def digest(self) -> bytes: ...


class TextLines:
    """The lines of a file, of which `number` were read, and `row` since the last `start_row`.

    Raises ValueError for a row with more than MAX_ROW_CHARACTERS.
    """

    def __init__(self, file: IO[str]) -> None:
        self._read = file.readline
        self._characters = 0
        self.number = 0
        self.row: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = self._read(MAX_ROW_CHARACTERS + 1)
        if not text:
            raise StopIteration
        self.number += 1
        self.row.append(text)
        self._characters += len(text)
        if self._characters > MAX_ROW_CHARACTERS:
            raise ValueError(self._too_long())
        return text

    def start_row(self) -> None:
        """Let the next line begin a row."""
        self.row.clear()
        self._characters = 0

    def _too_long(self) -> str:
        limit = f"has more than {MAX_ROW_CHARACTERS:,} characters"
        if len(self.row) == 1:
            return f"line {self.number}: {limit}"
        first = self.number - len(self.row) + 1
        return f"line {first}: the row {limit}; is a quotation mark opened and never closed?"


@contextmanager
def open_text(path: Path, newline: str | None = "") -> Iterator[IO[str]]:
    """Open a file of UTF-8 text, unpacked if it is compressed.

    Raises DataFileError, or ValueError if it cannot be unpacked.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark before the header.
        with (
            open_bytes(path) as file,
            io.TextIOWrapper(file, "utf-8-sig", newline=newline) as text,
        ):
            yield text
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror}") from None


def digest_of_file(path: Path) -> bytes:
    """Return SHA-256 over a file as it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def quote(text: str) -> str:
    """Return the beginning of a text from a file, on one line, for a message."""
    # A cell may have a million characters.
    short = " ".join(text[: 4 * MAX_QUOTED_CHARACTERS].split())
    plain = "".join(character if character.isprintable() else "?" for character in short)
    return (
        plain if len(plain) <= MAX_QUOTED_CHARACTERS else plain[: MAX_QUOTED_CHARACTERS - 1] + "…"
    )


_OLD_FORMAT = b"\xd0\xcf\x11\xe0"
# By the first bytes of a file that is not UTF-8 text: what it is, and what to do.
_OTHER_FORMATS = {
    _OLD_FORMAT: "is a spreadsheet of an old format; open it and save it as .xlsx",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it: unzstd",
    b"\xff\xfe": "is UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "is UTF-16; convert it: iconv -f UTF-16 -t UTF-8",
    b"PARE": "is an encrypted Parquet file; decrypt it first",
    b"SQLite format 3": (
        "is an SQLite database; name it and a query: --from sqlite:///FILE --query 'SELECT …'"
    ),
}


# Programs of Office keep a file with a password in a file of the old format.
_PASSWORD_PART = "EncryptedPackage".encode("utf-16-le")
_MAX_OLD_BYTES = 64 << 20


def why_undecodable(path: Path) -> str:
    """Return what a file is that is not UTF-8 text, and what to do."""
    with open_bytes(path) as file:
        head = file.read(4096)
        if head.startswith(_OLD_FORMAT) and _PASSWORD_PART in head + file.read(_MAX_OLD_BYTES):
            return "has a password; open it and save it without one"
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
    """Return the line of the first byte that is not UTF-8; lines may end as on old computers."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, last = 1, ""
    with open_bytes(path) as file:
        while read := file.read(_READ_BYTES):
            try:
                text = decoder.decode(read)
            except UnicodeDecodeError as error:
                # The decoder's remaining bytes come before the ones that were read.
                return line + _line_ends(error.object[: error.start].decode("utf-8"), last)
            line += _line_ends(text, last)
            last = text[-1:] or last
    return line


def _line_ends(text: str, last: str) -> int:
    """Return the number of line ends in a text that follows the character `last`."""
    pairs = text.count("\r\n") + (last == "\r" and text.startswith("\n"))
    return text.count("\n") + text.count("\r") - pairs
