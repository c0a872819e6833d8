"""Compressed data files: gzip, bzip2, xz, and a zip archive of one file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

_Open: TypeAlias = Callable[[IO[bytes]], Any]
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_OPENERS: dict[bytes, _Open] = {_GZIP: gzip.open, _BZIP2: bz2.open, _XZ: lzma.open}
ZIP_START = b"PK\x03\x04"
_START_BYTES = 8
# By the first bytes of a file that has been unpacked.
_NESTED = {
    _GZIP: "is compressed twice; unpack it once",
    b"BZh91AY": "is compressed twice; unpack it once",
    _XZ: "is compressed twice; unpack it once",
    ZIP_START: "has an archive or a workbook in it; unpack it first",
    b"PAR1": "is a compressed Parquet file; unpack it first",
}
# An archive may name thousands of files.
_MOST_NAMES = 5
# Its list of files is in memory as a whole, and each of them has at least 46 bytes there.
_MAX_DIRECTORY_BYTES = 2 << 20
_DIRECTORY_SIZE_AT = 5
# xz itself asks for at most 65 MiB, unless it is told otherwise.
_MAX_XZ_BYTES = 256 << 20
_PROBE_BYTES = 1 << 16
_IS_ENCRYPTED = 0x1
# What the packages raise for data that cannot be unpacked; bz2 raises OSError without a number.
_DAMAGED = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    struct.error,
)
# By names of files in an archive: what it is, and what to do.
_OTHER_ARCHIVES = {
    "xl/workbook.bin": "is an Excel workbook of the binary format (.xlsb); save it as .xlsx",
    "content.xml": "is a file of OpenOffice or LibreOffice; save the table as .xlsx or CSV",
    "word/document.xml": "is a Word document; save the table as .xlsx or CSV",
    "Index/Document.iwa": "is a file of Apple's Numbers or Pages; export it as .xlsx or CSV",
}


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked if it is compressed; raises OSError, or ValueError if it is damaged."""
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
        file.seek(0)
        try:
            if start.startswith(ZIP_START):
                check_directory(file)
                with zipfile.ZipFile(file) as archive, archive.open(only_member(archive)) as member:
                    yield _checked(member)
                return
            opener = next((o for magic, o in _OPENERS.items() if start.startswith(magic)), None)
            if opener is None:
                yield file
                return
            if start.startswith(_XZ):
                _check_xz(file)
            with opener(file) as unpacked:
                yield _checked(unpacked)
        except _DAMAGED as error:
            raise ValueError(f"is damaged and cannot be unpacked: {error}") from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise ValueError(f"is damaged and cannot be unpacked: {error}") from None


def _checked(unpacked: IO[bytes]) -> IO[bytes]:
    """Return an unpacked file at its start; raises ValueError if it is packed once more."""
    start = unpacked.read(_START_BYTES)
    why = next((why for magic, why in _NESTED.items() if start.startswith(magic)), None)
    if why:
        raise ValueError(why)
    unpacked.seek(0)
    return unpacked


def _check_xz(file: IO[bytes]) -> None:
    """Raise ValueError if unpacking would need much memory, whatever the size of the data."""
    try:
        lzma.LZMADecompressor(memlimit=_MAX_XZ_BYTES).decompress(file.read(_PROBE_BYTES), 1)
    except lzma.LZMAError as error:
        if "limit" in str(error).lower():
            raise ValueError("needs too much memory to be unpacked; compress it by gzip") from None
        raise
    finally:
        file.seek(0)


def check_directory(file: IO[bytes]) -> None:
    """Raise ValueError for an archive whose list of files alone would need much memory."""
    # The package reads the whole list, whose size is declared at the end of the archive.
    found = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    file.seek(0)
    if found and found[_DIRECTORY_SIZE_AT] > _MAX_DIRECTORY_BYTES:
        raise ValueError("is an archive of too many files; unpack it, and name one of them")


def file_names(path: Path) -> frozenset[str]:
    """Return the names of the files in an archive; none if it is damaged."""
    try:
        with path.open("rb") as file:
            check_directory(file)
            with zipfile.ZipFile(file) as archive:
                return frozenset(archive.namelist())
    except (*_DAMAGED, ValueError, OSError):
        return frozenset()


def only_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the one data file of an archive; raises ValueError if there is not exactly one."""
    if why := next((w for name, w in _OTHER_ARCHIVES.items() if name in archive.NameToInfo), ""):
        raise ValueError(why)
    members = [
        member
        for member in archive.infolist()
        # macOS adds a folder of its own.
        if not member.filename.endswith("/") and not _is_hidden(member.filename)
    ]
    if len(members) != 1:
        names = ", ".join(_shown(member.filename) for member in members[:_MOST_NAMES])
        raise ValueError(
            f"is an archive of {len(members):,} files{': ' * bool(names)}{names}; unpack it, and"
            " name one of them"
        )
    if members[0].flag_bits & _IS_ENCRYPTED:
        raise ValueError("is an archive with a password; unpack it first")
    return members[0]


def _is_hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


def _shown(name: str) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in name)
    return plain if len(plain) <= 60 else plain[:59] + "…"  # noqa: PLR2004  as messages quote texts
