"""The archive of an Excel workbook: what it declares is checked before any part is unpacked."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

# A sheet of Excel has at most so many rows.
MAX_ROWS = 1_048_576
MAX_SHEET_BYTES = 1 << 30
# Texts that cells share are kept in memory.
MAX_TEXTS_BYTES = 100 << 20
MAX_TEXTS = 2_000_000
# A row's elements are all in memory at once, each of them as about a hundred bytes.
MAX_ROW_BYTES = 4 << 20
MAX_ROW_TAGS = 200_000
# Other parts, such as the styles, are in memory as a whole.
MAX_PART_BYTES = 8 << 20
MAX_PART_TAGS = 400_000
# Real sheets are about a tenth to a hundredth of their size when compressed.
MAX_RATIO = 250
_RATIO_FROM_BYTES = 16 << 20
_MEBIBYTE = 1 << 20
_CHUNK_BYTES = 1 << 20
_TAG_CHARACTERS = 32

_ROW = re.compile(rb"<(?:\w{1,20}:)?row[\s/>]")
_TEXT = re.compile(rb"<(?:\w{1,20}:)?si[\s/>]")
_END_OF_ROWS = re.compile(rb"</(?:\w{1,20}:)?sheetData\s*>")
_VALUE = re.compile(rb"<(?:\w{1,20}:)?(?:v|is|f)[\s/>]")
_FORMULA = re.compile(rb"<(?:\w{1,20}:)?f[\s/>]")
# Comments could hide a row's end from the checks, and entities can grow without end.
_STRANGE = re.compile(rb"<!|\0|(?<!^)(?<!^\xef\xbb\xbf)<\?")
# Excel allows 255 characters; the time to understand a format grows with their square.
_LONG_FORMAT = re.compile(rb"formatCode\s*=\s*(?:\"[^\"]{256}|'[^']{256})")
_SAVE_AS_CSV = "save the sheet as CSV"
_IS_ENCRYPTED = 0x1


@dataclass(frozen=True)
class SheetExtent:
    """How many rows a sheet has, in how many bytes of its part, and whether it has formulas."""

    rows: int
    end: int
    has_formulas: bool


class WorkbookArchive(zipfile.ZipFile):
    """An archive that opens only parts that were checked; raises ValueError for others."""

    _checked: frozenset[str] = frozenset()

    def open(self, name: Any, *args: Any, **options: Any) -> IO[bytes]:  # noqa: ANN401
        """Open a part; one that is read as a whole is checked now."""
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if info.filename not in self._checked:
            check_size(info, MAX_PART_BYTES)
            with super().open(info) as part:
                _check_part(info.filename, part.read())
        return super().open(info, *args, **options)

    def open_unread(self, name: str, limit_bytes: int) -> IO[bytes]:
        """Open a large part whose content is checked while it is read."""
        info = self.getinfo(name)
        check_size(info, limit_bytes)
        self._checked |= {name}
        return super().open(info)


def check_size(info: zipfile.ZipInfo, limit_bytes: int) -> None:
    """Raise ValueError if a part has a password or would be too large when it is unpacked."""
    if info.flag_bits & _IS_ENCRYPTED:
        raise ValueError("is an archive with a password; unpack it first")
    if info.file_size > limit_bytes:
        raise ValueError(
            f"its part {info.filename} has {info.file_size / _MEBIBYTE:,.0f} MiB, more than"
            f" {limit_bytes // _MEBIBYTE:,}; {_SAVE_AS_CSV}"
        )
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > _RATIO_FROM_BYTES and ratio > MAX_RATIO:
        raise ValueError(
            f"its part {info.filename} grows to {ratio:,.0f} times its size when it is unpacked,"
            f" as no real sheet does; if it is one, {_SAVE_AS_CSV}"
        )


def _check_part(name: str, content: bytes) -> None:
    """Raise ValueError for a small part that would take much time or memory to understand."""
    if b"<!DOCTYPE" in content:
        raise ValueError(f"its part {name} has a document type, as no spreadsheet program writes")
    if content.count(b"<") > MAX_PART_TAGS:
        raise ValueError(f"its part {name} has more than {MAX_PART_TAGS:,} tags; {_SAVE_AS_CSV}")
    if _LONG_FORMAT.search(content):
        raise ValueError(f"its part {name} has a number format of more than 255 characters")


def measure_sheet(part: IO[bytes]) -> SheetExtent:
    """Read a sheet's rows; raises ValueError if any of them is too large."""
    rows, end, has_formulas = -1, 0, False
    for element in _elements(part, _ROW, _END_OF_ROWS):
        _check_element(element, f"row {rows + 1:,}")
        rows += 1
        end += len(element)
        has_formulas = has_formulas or _FORMULA.search(element) is not None
        if rows > MAX_ROWS:
            raise ValueError(f"its sheet has more than {MAX_ROWS:,} rows; save the table as CSV")
    return SheetExtent(max(rows, 0), end, has_formulas)


def check_texts(part: IO[bytes]) -> None:
    """Read the texts that cells share; raises ValueError if they need too much memory."""
    for count, element in enumerate(_elements(part, _TEXT)):
        _check_element(element, f"text {count:,}")
        if count > MAX_TEXTS:
            raise ValueError(f"has more than {MAX_TEXTS:,} different texts; {_SAVE_AS_CSV}")


def has_values(part: IO[bytes]) -> bool:
    """Return whether a sheet has a cell with a value; reads it up to the first one."""
    rest = b""
    while chunk := part.read(_CHUNK_BYTES):
        if _VALUE.search(rest + chunk):
            return True
        rest = chunk[-_TAG_CHARACTERS:]
    return False


def _elements(
    part: IO[bytes], start: re.Pattern[bytes], end: re.Pattern[bytes] | None = None
) -> Iterator[bytes]:
    """Yield the text before the first element, and then each of them with what follows it.

    Raises ValueError for one with more than MAX_ROW_BYTES.
    """
    rest = b""
    while chunk := part.read(_CHUNK_BYTES):
        rest += chunk
        stop = end.search(rest) if end else None
        text = rest[: stop.start()] if stop else rest
        at = 0
        for found in start.finditer(text, 1):
            yield text[at : found.start()]
            at = found.start()
        rest = text[at:]
        if stop:
            break
        if len(rest) > MAX_ROW_BYTES:
            raise ValueError(f"has a row or text of more than {MAX_ROW_BYTES:,} bytes")
    yield rest


def _check_element(element: bytes, name: str) -> None:
    if _STRANGE.search(element):
        raise ValueError(
            f"{name} has XML that spreadsheet programs do not write; open the file in one and save"
            " it"
        )
    if element.count(b"<") > MAX_ROW_TAGS:
        raise ValueError(f"{name} has more than {MAX_ROW_TAGS:,} tags; {_SAVE_AS_CSV}")
