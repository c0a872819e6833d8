"""Write small data files for the tests of the reader, and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from db.errors import DataFileError
from db.files.reader import Layout, SourceRow, read_layout, read_rows


def write_data(folder: Path, data: str | bytes) -> Path:
    """Write a file with this content and return its path."""
    path = folder / "data"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def rows(folder: Path, data: str | bytes) -> list[SourceRow]:
    """Return the rows of a file with this content."""
    return list(read_rows(write_data(folder, data)))


def row_values(folder: Path, data: str | bytes) -> list[dict[str, Any]]:
    """Return the values of the rows of a file without faults."""
    source_rows = rows(folder, data)
    assert [row.fault for row in source_rows if row.fault] == []
    return [row.values for row in source_rows]


def numbered(folder: Path, data: str | bytes) -> list[tuple[int, dict[str, Any]]]:
    """Return the line and the values of each row of a file without faults."""
    source_rows = rows(folder, data)
    assert [row.fault for row in source_rows if row.fault] == []
    return [(row.line, row.values) for row in source_rows]


def faults(folder: Path, data: str | bytes) -> list[tuple[int, str]]:
    """Return the line and the fault of each bad row."""
    return [(row.line, row.fault) for row in rows(folder, data) if row.fault]


def layout(folder: Path, data: str | bytes) -> Layout:
    """Return the layout of a file with this content."""
    return read_layout(write_data(folder, data))


def error_message(folder: Path, data: str | bytes) -> str:
    """Return the error about a file that cannot be read, without the file's name."""
    path = write_data(folder, data)
    with pytest.raises(DataFileError) as caught:
        list(read_rows(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")
