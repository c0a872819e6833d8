"""Rows that are kept in a temporary file come back as they were."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from decimal import Decimal
from typing import IO, TYPE_CHECKING

import pytest

from db.errors import DataFileError
from db.files.source_file import Layout, SourceRow
from db.files.spool import spooled

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

LAYOUT = Layout("", (), 0, ())


def test_numbers_of_any_size_are_kept_also_within_lists() -> None:
    """A list may have objects with numbers of more than 64 bits."""
    row = SourceRow(1, {"a": 2**70, "b": [{"x": 2**70, "y": [Decimal("1.50")]}]}, "is bad")
    with spooled("query", LAYOUT, [row]) as spool:
        assert list(spool.rows()) == [row]


class _FullDisk(io.RawIOBase):
    """A file on a disk without any space."""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, _: Buffer, /) -> int:
        """Fail as the system does."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is closed after the error, and closing it fails once more."""

    def temporary_file(**_: object) -> IO[bytes]:
        return io.BufferedWriter(_FullDisk())

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary_file)
    rows = (SourceRow(n, {"a": "x" * 1000}) for n in range(20))
    expected = r"^query: its rows cannot be kept in .*: No space left on device; free some space"
    with pytest.raises(DataFileError, match=expected), spooled("query", LAYOUT, rows):
        pytest.fail("the rows are not complete")
