"""Rows kept in a temporary file, so that a source that is slow to read is read only once."""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from typing import IO, Any

import msgspec

from db.errors import DataFileError

from .source_file import Layout, SourceRow

_LENGTH = struct.Struct("<I")
_DECIMAL = 1
_BUFFER_BYTES = 1 << 20


def _extended(value: object) -> object:
    """Return a value as it is stored: a Decimal keeps all its digits."""
    if isinstance(value, Decimal):
        return msgspec.msgpack.Ext(_DECIMAL, str(value).encode())
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_DECIMAL, str(value).encode())
    if isinstance(value, list):
        return [_extended(item) for item in value]
    if isinstance(value, dict):
        return {name: _extended(item) for name, item in value.items()}
    return value


def _restored(code: int, data: memoryview) -> Any:  # noqa: ANN401
    assert code == _DECIMAL  # noqa: S101  the spool has just been written by this process
    return Decimal(bytes(data).decode())


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, dict[str, Any], str], ext_hook=_restored).decode


class Spool:
    """A source whose rows are in a temporary file, which is deleted when it is closed."""

    def __init__(self, name: str, layout: Layout, file: IO[bytes], digest: bytes) -> None:
        self._name = name
        self._layout = layout
        self._file = file
        self._digest = digest

    @property
    def name(self) -> str:
        """What messages call the source."""
        return self._name

    def layout(self) -> Layout:
        """Return how the source was read."""
        return self._layout

    def digest(self) -> bytes:
        """Return SHA-256 over the rows."""
        return self._digest

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows; only one iterator may be in use at a time."""
        self._file.seek(0)
        while head := self._file.read(_LENGTH.size):
            line, values, fault = _decode(self._file.read(_LENGTH.unpack(head)[0]))
            yield SourceRow(line, values, fault)


@contextmanager
def spooled(name: str, layout: Layout, rows: Iterable[SourceRow]) -> Iterator[Spool]:
    """Read all rows into a temporary file, and yield the source that they make."""
    with _temporary_file(name) as file:
        yield Spool(name, layout, file, _write(name, file, rows))


@contextmanager
def _temporary_file(name: str) -> Iterator[IO[bytes]]:
    with ExitStack() as opened:
        with _errors_of(name):
            file = opened.enter_context(
                tempfile.TemporaryFile(prefix="veilleuse-", buffering=_BUFFER_BYTES)
            )
        try:
            yield file
        finally:
            # What could not be written is tried again here.
            with suppress(OSError):
                file.close()


def _write(name: str, file: IO[bytes], rows: Iterable[SourceRow]) -> bytes:
    """Write all rows, and return SHA-256 over them; raises DataFileError if the disk is full."""
    content = hashlib.sha256()
    for row in rows:
        values = {name: _extended(value) for name, value in row.values.items()}
        packed = _encode((row.line, values, row.fault))
        content.update(packed)
        with _errors_of(name):
            file.write(_LENGTH.pack(len(packed)))
            file.write(packed)
    with _errors_of(name):
        file.flush()
    return content.digest()


@contextmanager
def _errors_of(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.gettempdir()
        raise DataFileError(
            f"{name}: its rows cannot be kept in {folder}: {error.strerror}; free some space, or"
            " set TMPDIR to another folder"
        ) from None
