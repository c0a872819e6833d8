"""The file of predictions is complete, or it is not there."""

from __future__ import annotations

import fcntl
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from db.errors import DataFileError
from db.files.prediction.output_file import OutputFile, opened_output

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class _SmallPipe(io.RawIOBase):
    """A file that takes a few bytes of each write."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def write(self, data: Buffer, /) -> int:
        """Take three bytes."""
        part = bytes(data)[:3]
        self.taken += part
        return len(part)


def test_all_bytes_are_written_though_a_file_takes_only_a_part() -> None:
    """Standard output has no buffer where PYTHONUNBUFFERED is set."""
    pipe = _SmallPipe()
    file = OutputFile("standard output", cast("BinaryIO", pipe))
    assert file.write(b"area,town\n") == file.tell() == 10
    assert pipe.taken == b"area,town\n"


def test_standard_output_is_complete_when_its_reader_is_slow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The pipe is full long before the last byte."""
    data = bytes(range(256)) * 2000
    reading, writing = os.pipe()
    with open(reading, "rb") as reader, open(writing, "wb", buffering=0) as raw:  # noqa: PTH123
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(cast("BinaryIO", raw)))
        os.set_blocking(writing, True)
        read: list[bytes] = []
        thread = threading.Thread(target=lambda: read.append(reader.read()))
        thread.start()
        with opened_output(None, tmp_path / "source") as file:
            file.write(data)
        raw.close()
        thread.join()
        assert read == [data]


def test_a_run_that_ends_while_another_opens_its_file_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run has opened the file that is now at the place of the first one's rows."""
    out, source = tmp_path / "out.csv", tmp_path / "source"
    lock = fcntl.flock
    first = opened_output(out, source)
    first.__enter__().write(b"first")

    def lock_late(file: BinaryIO, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        first.__exit__(None, None, None)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with opened_output(out, source) as second:
        second.write(b"second")
        second.finish()
        assert out.read_bytes() == b"first"
    assert out.read_bytes() == b"second"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    """The first one goes on."""
    out = tmp_path / "out.csv"
    with opened_output(out, tmp_path / "source") as first:
        first.write(b"first")
        with (
            pytest.raises(DataFileError, match="another run is writing this file now"),
            opened_output(out, tmp_path / "source"),
        ):
            pytest.fail("it is locked")
    assert out.read_bytes() == b"first"
