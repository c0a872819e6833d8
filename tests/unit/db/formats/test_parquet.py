"""Tests of Parquet files: the types of their values, and that no file ends the process."""

from __future__ import annotations

import random
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from db.errors import DataFileError
from db.files.formats import parquet_probe
from db.files.reader import open_source

from .limited import read_limited
from .workbook import message_of, read, values_of

MOMENT = datetime(2024, 1, 31, 8, 30, 1)  # noqa: DTZ001
FAR = pa.array([2**62], pa.int64())
LIMIT_BYTES = 3 << 30

COLUMNS: dict[str, tuple[Any, object]] = {
    "int64 beyond 2^53": (pa.array([2**53 + 1], pa.int64()), 2**53 + 1),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    "float": (pa.array([0.1]), 0.1),
    "float of 32 bits": (pa.array([0.1], pa.float32()), 0.1),
    "float of 16 bits": (pa.array([0.5], pa.float16()), 0.5),
    "infinity": (pa.array([float("inf")]), float("inf")),
    "decimal": (pa.array([Decimal("1.50")], pa.decimal128(30, 2)), Decimal("1.50")),
    "boolean": (pa.array([False]), False),
    "date": (pa.array([date(2024, 1, 31)]), "2024-01-31"),
    "midnight": (pa.array([datetime(2024, 1, 31)]), "2024-01-31"),  # noqa: DTZ001
    "moment": (pa.array([MOMENT], pa.timestamp("us")), "2024-01-31T08:30:01"),
    "nanoseconds": (
        pa.array([1706689801123456789], pa.int64()).cast(pa.timestamp("ns")),
        "2024-01-31T08:30:01.123456",
    ),
    "moment in a zone": (
        pa.array([MOMENT.replace(tzinfo=UTC)], pa.timestamp("us", "Europe/Paris")),
        "2024-01-31T09:30:01+01:00",
    ),
    "midnight in a zone": (
        pa.array([datetime(2024, 1, 31, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        "2024-01-31T00:00:00+00:00",
    ),
    "moment that Python does not know": (
        FAR.cast(pa.timestamp("us")),
        "<value out of range: 4611686018427387904>",
    ),
    "time": (pa.array([time(8, 30)]), "08:30:00"),
    "time with nanoseconds": (
        pa.array([1001], pa.int64()).cast(pa.time64("ns")),
        "00:00:00.000001",
    ),
    "duration": (pa.array([timedelta(seconds=90)]), 90.0),
    "category": (pa.array(["x"]).dictionary_encode(), "x"),
    "text": (pa.array([' é\n"q" '], pa.large_utf8()), 'é\n"q"'),
    "bytes of text": (pa.array(["é".encode()]), "é"),
    "other bytes": (pa.array([b"\xff\x00"]), "ff00"),
    "list": (pa.array([["a", "b"]]), ["a", "b"]),
    "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), [["k", 1]]),
}


def write_table(path: Path, columns: dict[str, Any], **options: Any) -> Path:  # noqa: ANN401
    """Write a Parquet file and return its path."""
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.mark.parametrize(("column", "value"), COLUMNS.values(), ids=COLUMNS)
def test_a_value_keeps_its_type_and_null_is_missing(
    tmp_path: Path, column: object, value: object
) -> None:
    """A row without values is no row, as a blank line of CSV."""
    both = pa.concat_arrays([column, pa.nulls(1, column.type)])  # type: ignore[attr-defined]
    path = write_table(tmp_path / "t.parquet", {"a": both})
    assert values_of(path) == [{"a": value}]
    assert type(values_of(path)[0]["a"]) is type(value)


def test_nan_and_blank_texts_are_missing(tmp_path: Path) -> None:
    """The number of a row counts rows without values."""
    columns = {
        "a": [float("nan"), 1.5],
        "b": ["x", " "],
        "c": pa.array([1, float("nan")], pa.float32()),
    }
    layout, rows = read(write_table(tmp_path / "t.parquet", columns))
    assert (layout.names, layout.header_line, layout.delimiter) == (("a", "b", "c"), 0, "")
    assert [(row.line, row.values) for row in rows] == [(1, {"b": "x", "c": 1.0}), (2, {"a": 1.5})]


def test_members_of_a_struct_have_names_with_a_dot(tmp_path: Path) -> None:
    """As in JSON; two members of one name are the row's fault."""
    structs = [{"age": 30, "home": {"town": "Lyon"}}, None]
    path = write_table(tmp_path / "t.parquet", {"user": structs, "user.age": [None, 7]})
    layout, rows = read(path)
    assert layout.names == ("user.age", "user.home.town")
    assert rows[0].fault.startswith("user.age: occurs twice")
    assert rows[1].values == {"user.age": 7}


def test_names_are_numbered_as_in_csv(tmp_path: Path) -> None:
    """Two columns may have one name, or none."""
    table = pa.Table.from_arrays([pa.array([n]) for n in range(3)], names=[" a\nb", "a b", ""])
    pq.write_table(table, tmp_path / "t.parquet")
    layout, rows = read(tmp_path / "t.parquet")
    assert rows[0].values == {"a b": 0, "a b_2": 1, "column_3": 2}
    assert layout.notes[0] == "two columns are named a b; the second is read as a b_2"


def test_rows_are_counted_across_row_groups_and_read_again(tmp_path: Path) -> None:
    """Every encoding and compression of pyarrow is read."""
    rows = 20_000
    columns = {"n": list(range(rows)), "t": [f"text {n}" for n in range(rows)], "l": [["x"]] * rows}
    path = write_table(tmp_path / "t.parquet", columns, row_group_size=3000, compression="zstd")
    with open_source(path) as source:
        found = list(source.rows())
        assert found == list(source.rows())
        assert source.digest() == source.digest()
    assert [row.line for row in found] == list(range(1, rows + 1))
    assert found[-1].values == {"n": rows - 1, "t": f"text {rows - 1}", "l": ["x"]}


def test_a_table_without_rows_has_names(tmp_path: Path) -> None:
    """So that a missing column is named."""
    layout, rows = read(write_table(tmp_path / "t.parquet", {"a": pa.array([], pa.int64())}))
    assert (layout.names, rows) == (("a",), [])


def test_a_long_row_is_refused(tmp_path: Path) -> None:
    """As in CSV, within the memory of a few rows."""
    path = write_table(tmp_path / "t.parquet", {"a": ["x", "y" * 5_000_000]})
    with pytest.raises(DataFileError, match="row 2 has more than 4,000,000 bytes"):
        read(path)


def test_a_text_that_many_rows_share_is_read_in_small_parts(tmp_path: Path) -> None:
    """Its 20 gigabytes take a few kilobytes in the file."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), ["z" * 1_000_000])
    path = write_table(tmp_path / "t.parquet", {"a": texts}, compression="zstd")
    assert path.stat().st_size < 100_000
    with open_source(path) as source:
        first = next(iter(source.rows()))
    assert len(str(first.values["a"])) == 1_000_000


def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    """Its list of 40 gigabytes takes a few kilobytes in the file."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 40_000, pa.int32()), ["z" * 1_000_000])
    lists = pa.ListArray.from_arrays(pa.array([0, 40_000], pa.int32()), texts)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": lists}), path, compression="zstd", store_schema=False)
    assert "needs too much memory; write it with smaller pages" in read_limited(path, LIMIT_BYTES)


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        ("MAX_COLUMNS", "declares 2 columns, more than 1"),
        ("MAX_ROW_GROUPS", "declares 2 row groups, more than 1"),
        ("_ROWS_OF_ANY_FILE", "rows, more than"),
        ("MAX_FOOTER_BYTES", "has a footer of"),
    ],
)
def test_what_a_file_declares_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, reason: str
) -> None:
    """Before any row is read."""
    path = write_table(tmp_path / "t.parquet", {"a": [1, 2], "b": [3, 4]}, row_group_size=1)
    assert parquet_probe.probe(str(path)) == 8192
    monkeypatch.setattr(parquet_probe, "MAX_ROWS_PER_BYTE", 0)
    monkeypatch.setattr(parquet_probe, bound, 1)
    with pytest.raises(ValueError, match=reason):
        parquet_probe.probe(str(path))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    """A file that was copied in part has no end."""
    path = write_table(tmp_path / "t.parquet", {"a": [1, 2]})
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert "is cut off" in message_of(path)
    path.write_bytes(content[:-8] + struct.pack("<I", 10**6) + b"PAR1")
    assert "is damaged: its footer is longer than the file" in message_of(path)


def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path: Path) -> None:
    """Some of these files end the process that reads them, as their sizes' statistics are wrong."""
    columns = {"a": [1, None] * 50, "t": ["x", "yz"] * 50, "l": [["u"], None] * 50}
    path = write_table(tmp_path / "t.parquet", columns, row_group_size=40)
    content, rng = path.read_bytes(), random.Random(3)
    refused = 0
    for _ in range(10):
        changed = bytearray(content)
        for _ in range(5):
            changed[rng.randrange(4, len(changed) - 8)] = rng.randrange(256)
        path.write_bytes(changed)
        message = message_of(path)
        refused += bool(message)
        assert "\n" not in message
        assert message.startswith(f"{path}: " if message else "")
    assert refused > 3


def test_a_file_that_crashes_its_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is read in another process first."""
    path = write_table(tmp_path / "t.parquet", {"a": [1]})
    program = tmp_path / "crash.py"
    program.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(parquet_probe, "__file__", str(program))
    assert message_of(path) == f"{path}: is damaged: it crashes the program that reads it"


def test_packages_outside_of_pythons_own_folders_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be in a folder of PYTHONPATH, and beside the program is no such folder."""
    path = write_table(tmp_path / "t.parquet", {"a": [1]})
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "only_here.py").write_text("ROWS = 7\n")
    program = tmp_path / "program.py"
    program.write_text("import only_here\nprint(only_here.ROWS)\n")
    monkeypatch.setattr(parquet_probe, "__file__", str(program))
    assert "is damaged" in message_of(path)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    assert message_of(path) == ""
