"""The format of a backup: frames of MessagePack in a gzip file.

A frame is one letter for its kind, the length of its content, and the content. A header comes
first; then, for each table, its columns and its rows; at the end the counts of rows and the SHA-256
of all frames before. No pickle is written or read, and no length is believed before it is checked.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

import msgspec

from db.errors import BackupError

FORMAT = 1
MAGIC = b"VEILLEUSE BACKUP\n"
HEADER, TABLE, ROWS, LARGE_ROW, END = b"H", b"T", b"R", b"L", b"E"
# Rows share a frame up to this size. A longer row has a frame of its own: a teacher is one value.
BATCH_BYTES = 1 << 20
_MOST_BYTES = {
    HEADER: BATCH_BYTES,
    TABLE: BATCH_BYTES,
    ROWS: 2 * BATCH_BYTES,
    LARGE_ROW: 256 * BATCH_BYTES,
    END: BATCH_BYTES,
}
_LENGTH = struct.Struct("<I")
_ARRAY = struct.Struct(">BI")
# Higher levels take far longer, and make the file little smaller.
_COMPRESS_LEVEL = 1


class Header(msgspec.Struct, frozen=True):
    """The version of the format, that of the tables, and the kind of database they come from."""

    format: int
    schema: str
    database: str
    made_at: float
    generation: int


class TableStart(msgspec.Struct, frozen=True):
    """The table and the columns of the rows that follow."""

    name: str
    columns: tuple[str, ...]


class End(msgspec.Struct, frozen=True):
    """The number of rows by table, and the SHA-256 of all frames before, in hex digits."""

    rows: dict[str, int]
    sha256: str


class Frame(NamedTuple):
    """A frame whose length and kind have been checked, and its content not yet."""

    kind: bytes
    content: bytes


class FrameWriter:
    """Writes the frames of a backup; `finish` must be the last call."""

    def __init__(self, out: IO[bytes], header: Header) -> None:
        # Without a time and a name, equal contents give equal files.
        self._file = gzip.GzipFile("", "wb", _COMPRESS_LEVEL, out, mtime=0)
        self._hash = hashlib.sha256()
        self._rows: dict[str, int] = {}
        self._table = ""
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._file.write(MAGIC)
        self._write(HEADER, msgspec.msgpack.encode(header))

    def begin_table(self, start: TableStart) -> None:
        """Begin a table; its rows follow."""
        self._write_batch()
        self._table = start.name
        self._rows[start.name] = 0
        self._write(TABLE, msgspec.msgpack.encode(start))

    def add_row(self, row: bytes) -> None:
        """Write an encoded row of the table; raises BackupError if it is too long to be read."""
        self._rows[self._table] += 1
        if len(row) > BATCH_BYTES:
            self._write_batch()
            self._write_large(row)
            return
        self._batch.append(row)
        self._batch_bytes += len(row)
        if self._batch_bytes >= BATCH_BYTES:
            self._write_batch()

    def finish(self) -> dict[str, int]:
        """Write the counts and the checksum; return the number of rows by table."""
        self._write_batch()
        end = End(self._rows, self._hash.hexdigest())
        self._write(END, msgspec.msgpack.encode(end))
        self._file.close()
        return self._rows

    def _write_large(self, row: bytes) -> None:
        if len(row) > _MOST_BYTES[LARGE_ROW]:
            raise BackupError(
                f"a row of {self._table} has {len(row):,} bytes, and a backup can hold at most"
                f" {_MOST_BYTES[LARGE_ROW]:,}; use pg_dump or sqlite3's .backup"
            )
        self._write(LARGE_ROW, row)

    def _write_batch(self) -> None:
        if self._batch:
            self._write(ROWS, _ARRAY.pack(0xDD, len(self._batch)) + b"".join(self._batch))
            self._batch, self._batch_bytes = [], 0

    def _write(self, kind: bytes, content: bytes) -> None:
        head = kind + _LENGTH.pack(len(content))
        for part in (head, content):
            self._hash.update(part)
            self._file.write(part)


class _Damaged(Exception):
    """The content of a backup is not what its format says."""


# A file that cannot be decompressed, or whose last frame cannot be decoded.
_DAMAGES = (EOFError, OSError, zlib.error, msgspec.MsgspecError, UnicodeDecodeError, _Damaged)


def read_frames(file: IO[bytes], name: str) -> Iterator[Frame]:
    """Yield the frames of a backup; raises BackupError if it is damaged or was cut short.

    The last frame is yielded only after the checksum and the end of the file have been checked, so
    what is read before may still prove to be damaged.
    """
    try:
        yield from _checked_frames(gzip.GzipFile(fileobj=file, mode="rb"))
    except _DAMAGES as error:
        reason = str(error).rstrip(".") or "it ends too early"
        raise BackupError(
            f"{name}: is not a complete backup, so nothing was restored: {reason}; use another one"
        ) from None


def _checked_frames(file: gzip.GzipFile) -> Iterator[Frame]:
    if file.read(len(MAGIC)) != MAGIC:
        raise _Damaged("it was not made by python -m db backup")
    digest = hashlib.sha256()
    while True:
        head = _read_exactly(file, 1 + _LENGTH.size)
        kind, (length,) = head[:1], _LENGTH.unpack(head[1:])
        if length > _MOST_BYTES.get(kind, -1):
            raise _Damaged(f"it has a frame {kind!r} of {length:,} bytes")
        frame = Frame(kind, _read_exactly(file, length))
        if kind == END:
            _check_end(file, frame, digest.hexdigest())
            yield frame
            return
        digest.update(head)
        digest.update(frame.content)
        yield frame


def _check_end(file: gzip.GzipFile, frame: Frame, sha256: str) -> None:
    if msgspec.msgpack.decode(frame.content, type=End).sha256 != sha256:
        raise _Damaged("its checksum is wrong")
    if file.read(1):
        raise _Damaged("something follows its end")


def _read_exactly(file: gzip.GzipFile, count: int) -> bytes:
    """Read so many bytes, piece by piece: the memory grows with what is there, not what is said."""
    parts = []
    while count:
        part = file.read(min(count, BATCH_BYTES))
        if not part:
            raise _Damaged("it ends too early")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
