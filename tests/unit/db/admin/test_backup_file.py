"""Tests of damaged and hostile backups: they are refused before anything is written."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db.admin.backup.backup import backup_store
from db.admin.backup.frames import FORMAT, MAGIC, FrameWriter, Header, TableStart
from db.admin.backup.restore import restore_store
from db.admin.backup.rows import read_backup
from db.errors import BackupError
from db.store.store import Store
from db.store.tables import SCHEMA
from tests.conftest import make_store, register, sample_spec

HEADER = Header(FORMAT, SCHEMA, "sqlite", 1.0, 1)
DATASET = TableStart("dataset", ("id", "name", "spec"))


@pytest.fixture
def empty(sqlite_url: str) -> Store:
    """Return a store without data."""
    return make_store(sqlite_url)


@pytest.fixture
def backup(sqlite_url: str, tmp_path: Path) -> Path:
    """Return a good backup."""
    store = make_store(sqlite_url.replace("store.db", "other.db"))
    register(store, sample_spec("intents"))
    backup_store(store, tmp_path / "backup")
    store.close()
    return tmp_path / "backup"


def written(path: Path, *rows: Any, header: Header = HEADER, start: TableStart = DATASET) -> Path:  # noqa: ANN401
    """Write a backup of one table; its checksum is right."""
    with path.open("wb") as file:
        writer = FrameWriter(file, header)
        writer.begin_table(start)
        for row in rows:
            writer.add_row(msgspec.msgpack.encode(row))
        writer.finish()
    return path


def refused(store: Store, path: Path) -> str:
    """Return the line with which a backup is refused; the store must stay empty."""
    with pytest.raises(BackupError) as caught:
        restore_store(store, path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM dataset").scalar() == 0
    store.close()
    return str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9, 0.999])
def test_a_backup_that_was_cut_short_is_refused(empty: Store, backup: Path, share: float) -> None:
    """As a full disk or a broken copy leaves it."""
    data = backup.read_bytes()
    backup.write_bytes(data[: int(len(data) * share)])
    assert "is not a complete backup, so nothing was restored" in refused(empty, backup)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
def test_a_backup_with_a_changed_byte_is_refused(empty: Store, backup: Path, share: float) -> None:
    """As a failing disk returns it."""
    data = bytearray(backup.read_bytes())
    data[int(len(data) * share)] ^= 0x55
    backup.write_bytes(data)
    refused(empty, backup)


def test_no_changed_byte_is_read_as_something_else(tmp_path: Path) -> None:
    """Only bytes that say nothing about the content may differ, such as gzip's time."""
    rows = [(number, f"é{number}", "{}") for number in range(5)]
    data = written(tmp_path / "backup", *rows).read_bytes()
    plain = gzip.decompress(data)
    for at in range(len(data)):
        assert rows_in(data[:at] + bytes([data[at] ^ 0x81]) + data[at + 1 :]) in (rows, None), at
    for at in range(len(plain)):
        changed = gzip.compress(plain[:at] + bytes([plain[at] ^ 0x81]) + plain[at + 1 :], 1)
        assert rows_in(changed) is None, at


def rows_in(data: bytes) -> list[tuple[Any, ...]] | None:
    """Return the rows of a backup, None if it is refused."""
    try:
        return [row for batch in read_backup(io.BytesIO(data), "it")[1] for row in batch.rows]
    except BackupError:
        return None


def test_a_backup_whose_rows_were_changed_is_refused(empty: Store, backup: Path) -> None:
    """The checksum of the content is not that of the compression."""
    content = gzip.decompress(backup.read_bytes())
    assert b"sentence" in content
    backup.write_bytes(gzip.compress(content.replace(b"sentence", b"sentEnce")))
    assert "its checksum is wrong" in refused(empty, backup)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", gzip.compress(b"something else")], ids=["empty", "zip", "gzip"]
)
def test_another_file_is_no_backup(empty: Store, tmp_path: Path, data: bytes) -> None:
    """The message names the command that makes backups."""
    file = tmp_path / "file"
    file.write_bytes(data)
    refused(empty, file)


def test_what_follows_a_backup_is_refused(empty: Store, backup: Path) -> None:
    """Two backups in one file are none."""
    backup.write_bytes(backup.read_bytes() * 2)
    assert "something follows its end" in refused(empty, backup)


def test_a_missing_backup_is_one_line(empty: Store, tmp_path: Path) -> None:
    """It names the file."""
    assert "No such file" in refused(empty, tmp_path / "none")


@pytest.mark.parametrize(
    "row",
    [
        (1, "intents"),
        (1, "intents", "{}", 4),
        ("1", "intents", "{}"),
        (1, None, "{}"),
        (1, b"intents", "{}"),
        {"id": 1},
        None,
    ],
)
def test_a_value_of_the_wrong_type_is_refused(empty: Store, tmp_path: Path, row: object) -> None:
    """SQLite would take it, and every reader of the store would fail."""
    file = written(tmp_path / "backup", (1, "good", "{}"), row)
    assert "a value of the wrong type" in refused(empty, file)


def test_a_backup_of_a_newer_release_is_refused(empty: Store, tmp_path: Path) -> None:
    """Older code does not know what the new columns mean."""
    header = msgspec.structs.replace(HEADER, schema="9999")
    assert "a newer release made it" in refused(empty, written(tmp_path / "b", header=header))


@pytest.mark.parametrize("kind", [b"H", b"T", b"R", b"L", b"E", b"?"])
def test_a_length_is_not_believed(empty: Store, tmp_path: Path, kind: bytes) -> None:
    """Four bytes may claim four gigabytes, and zeros are compressed to nothing."""
    file = tmp_path / "bomb"
    with gzip.open(file, "wb") as out:
        out.write(MAGIC + kind + struct.pack("<I", 0xFFFFFFFF))
        for _ in range(64):
            out.write(bytes(1 << 20))
    tracemalloc.start()
    refused(empty, file)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 16 << 20


def test_rows_of_running_processes_and_unknown_tables_are_left_out(
    empty: Store, tmp_path: Path
) -> None:
    """A file that somebody made may have any table."""
    for name in ("worker", "sqlite_master", "alembic_version"):
        file = written(tmp_path / name, (1, "x"), start=TableStart(name, ("id", 'na"me')))
        assert restore_store(empty, file).unknown == [name]
    empty.close()


def test_a_row_that_no_reader_takes_is_not_written() -> None:
    """The limit is on both sides, so that each backup that was made can be restored."""
    writer = FrameWriter(io.BytesIO(), HEADER)
    writer.begin_table(DATASET)
    with pytest.raises(BackupError, match=r"use pg_dump or sqlite3's .backup"):
        writer.add_row(bytes((256 << 20) + 1))
