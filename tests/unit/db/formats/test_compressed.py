"""Tests of compressed CSV and JSON files: gzip, bzip2, xz, and a zip archive of one file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from db.errors import DataFileError
from db.files.reader import open_source, read_rows
from tests.unit.db.data_file import error_message, row_values

TABLE = b'town,area\nLyon,32\n"Saint-\nDenis",47\n'
VALUES = [{"town": "Lyon", "area": "32"}, {"town": "Saint-\nDenis", "area": "47"}]


def zipped(content: bytes, *names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive with the content in each of the files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as opened:
        for name in names or ("table.csv",):
            opened.writestr(name, content)
    return archive.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
}
packed = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)


@packed
def test_a_compressed_file_is_read_as_often_as_needed(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """The digest is that of the file as it is."""
    path = tmp_path / "data"
    path.write_bytes(pack(TABLE))
    with open_source(path) as source:
        assert source.layout().names == ("town", "area")
        assert [row.values for row in source.rows()] == VALUES
        assert [row.line for row in source.rows()] == [2, 3]
    assert row_values(tmp_path, pack(b'{"a": 1}\n{"a": 2}\n')) == [{"a": 1}, {"a": 2}]
    assert row_values(tmp_path, pack(b'[{"a": 1}]')) == [{"a": 1}]


@packed
def test_a_truncated_file_is_refused(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """No part of it is read as if it were the whole."""
    rng = random.Random(1)
    content = pack(b"a,b\n" + b"".join(b"%d,%d\n" % (n, rng.randrange(10**9)) for n in range(9000)))
    for part in (0.1, 0.5, 0.9, 0.999):
        message = error_message(tmp_path, content[: int(len(content) * part)])
        assert message.startswith("is damaged and cannot be unpacked: ")


@packed
def test_a_corrupted_file_is_refused_or_reads_the_same(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """A changed byte in a time or name does no harm."""
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7919 % 1009) for n in range(999))
    content = pack(table)
    whole = row_values(tmp_path, content)
    rng = random.Random(2)
    refused = 0
    for _ in range(40):
        changed = bytearray(content)
        changed[rng.randrange(8, len(content))] ^= 1 << rng.randrange(8)
        message = _message(tmp_path, bytes(changed))
        refused += bool(message)
        assert "\n" not in message
        if not message:
            assert row_values(tmp_path, bytes(changed)) == whole
    assert refused > 10


def _message(folder: Path, content: bytes) -> str:
    path = folder / "data"
    path.write_bytes(content)
    try:
        list(read_rows(path))
    except DataFileError as error:
        return str(error)
    return ""


def test_several_members_of_gzip_are_one_file(tmp_path: Path) -> None:
    """Logs are often appended so."""
    assert row_values(tmp_path, gzip.compress(TABLE[:20]) + gzip.compress(TABLE[20:])) == VALUES


def test_an_archive_of_several_files_is_refused_and_names_some_of_them(tmp_path: Path) -> None:
    """Which of them is meant is not guessed."""
    message = error_message(tmp_path, zipped(TABLE, *(f"t{n}.csv" for n in range(9))))
    assert message == (
        "is an archive of 9 files: t0.csv, t1.csv, t2.csv, t3.csv, t4.csv; unpack it, and name one"
        " of them"
    )
    message = error_message(tmp_path, zipped(TABLE, "a\nb" * 99, "b.csv"))
    assert len(message) < 200
    assert error_message(tmp_path, zipped(b"", "a/")).startswith("is an archive of 0 files;")


def test_the_folder_that_macos_adds_does_not_count(tmp_path: Path) -> None:
    """Nor do hidden files and folders."""
    names = ("a/", "a/table.csv", "__MACOSX/a/._table.csv", "a/.DS_Store")
    assert row_values(tmp_path, zipped(TABLE, *names)) == VALUES


def test_an_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    """It says to unpack it."""
    content = bytearray(zipped(TABLE))
    # The first of the flags, in the file's header and in the list of files.
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert (
        error_message(tmp_path, bytes(content)) == "is an archive with a password; unpack it first"
    )


@packed
def test_a_file_that_is_compressed_twice_is_refused(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """So is an archive in an archive."""
    inner = zipped if pack is zipped else pack
    assert "unpack it" in error_message(tmp_path, pack(inner(TABLE)))
    assert "is compressed twice; unpack it once" in error_message(
        tmp_path, pack(gzip.compress(TABLE))
    )


def test_a_compressed_parquet_file_is_refused(tmp_path: Path) -> None:
    """Parquet is compressed itself, and is read from several places."""
    message = error_message(tmp_path, gzip.compress(b"PAR1" + b"\0" * 99))
    assert message == "is a compressed Parquet file; unpack it first"


@packed
def test_a_row_that_never_ends_is_refused_in_little_memory(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """However far a small file grows."""
    content = pack(b"a,b\n1," + b"x" * (60 << 20))
    tracemalloc.start()
    message = error_message(tmp_path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message == "line 2: has more than 1,000,000 characters"
    assert peak < 40 << 20


def test_xz_that_needs_much_memory_whatever_its_data_is_refused(tmp_path: Path) -> None:
    """Its first bytes declare the memory."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 16}]
    content = bytearray(lzma.compress(TABLE, filters=filters, check=lzma.CHECK_NONE))
    # The header of the block: its size, flags, filter, size of properties, and the dictionary.
    block = content[12:24]
    assert block[2:4] == b"\x21\x01"
    block[4] = 40
    block[8:12] = struct.pack("<I", _crc32(bytes(block[:8])))
    content[12:24] = block
    message = error_message(tmp_path, bytes(content))
    assert message == "needs too much memory to be unpacked; compress it by gzip"


def _crc32(data: bytes) -> int:
    return zlib.crc32(data)


def test_a_damaged_file_whose_content_is_not_text_is_refused_in_one_line(tmp_path: Path) -> None:
    """The reason is sought in the content, which cannot be read to its end."""
    packed = bytearray(gzip.compress(b"town,rent\nOrl\xe9ans,\xff\n" * 40))
    packed[-8] ^= 0xFF
    assert "is damaged and cannot be unpacked" in error_message(tmp_path, bytes(packed))
