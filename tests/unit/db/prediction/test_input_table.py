"""Tables are predicted from the values that an import would read, and lose no cell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from db.errors import DataFileError
from db.files.prediction.input_table import opened_table
from db.files.prediction.row_inputs import ValueInputs
from db.files.reader import read_rows
from db.files.source_file import SourceRow
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField, TextField

SPEC = DatasetSpec(
    name="flats",
    kind="regression",
    target="rent",
    fields={"size": NumberField(optional=True), "note": TextField(optional=True)},
)
NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, pa.array([b"\xff\xfe", b"ok"], pa.binary()).buffers()
)
NOTES: dict[str, pa.Array] = {
    "nanoseconds": pa.array([1700000000123456789, 1], pa.timestamp("ns")),
    "not UTF-8": NOT_UTF8,
    "far dates": pa.array([400_000_000, 0], pa.date32()),
    "far moments": pa.array([10**18, 0], pa.timestamp("us")),
    "durations": pa.array([1_500_000_000, 7], pa.duration("ns")),
    "times of day": pa.array([1001, 2], pa.time64("ns")),
}


def blocks_of(path: Path, read: set[str] | None = None) -> list[list[SourceRow]]:
    """Return the rows of a file of Parquet or Excel, by blocks."""
    with opened_table(path, SPEC) as table:
        return [list(block) for block, _ in table.blocks(read)]


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_parquet_is_predicted_by_the_values_that_an_import_reads(
    tmp_path: Path, note: pa.Array
) -> None:
    """So that a row has the key of its record; names are given once and without blanks."""
    path = tmp_path / "t.parquet"
    size = pa.array([0.1, 4.99], pa.float32())
    arrays = [size, note, pa.array([{"a": 1}, None]), size]
    pq.write_table(pa.Table.from_arrays(arrays, [" size ", "note", "more", " size "]), path)
    imported = list(read_rows(path))
    [predicted] = blocks_of(path)
    assert predicted == imported
    assert [row.values["size_2"] for row in predicted] == [0.1, 4.99]
    with opened_table(path, SPEC) as table:
        assert table.names == ("size", "note", "more.a", "size_2")
    reader = ValueInputs(SPEC)
    keys = [SPEC.key(SPEC.pick_inputs(row.values)) for row in imported]
    [read] = blocks_of(path, {"size", "note"})
    assert [SPEC.key(reader.read(row.values)) for row in read] == keys


def test_parquet_keeps_rows_without_any_value(tmp_path: Path) -> None:
    """An import leaves them out; predictions stand beside the rows of the file."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"size": pa.array([1.0, None, 2.0])}), path)
    assert [row.line for row in read_rows(path)] == [1, 3]
    assert [(row.line, row.values) for row in blocks_of(path)[0]] == [
        (1, {"size": 1.0}),
        (2, {}),
        (3, {"size": 2.0}),
    ]


def test_wide_or_long_rows_of_parquet_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    """A small file can have gigabytes of values."""
    wide = pa.table({f"c{n}": pa.array([1.0] * 1000) for n in range(1000)})
    pq.write_table(wide, tmp_path / "wide.parquet")
    blocks = blocks_of(tmp_path / "wide.parquet", {"c0"})
    assert max(map(len, blocks)) <= 500
    long = pa.table({"note": pa.array(["x" * 500_000] * 40)})
    pq.write_table(long, tmp_path / "long.parquet")
    blocks = blocks_of(tmp_path / "long.parquet", set())
    assert max(map(len, blocks)) <= 8
    assert sum(map(len, blocks)) == 40


def write_sheet(path: Path, rows: list[list[Any]]) -> Path:
    """Write a workbook with these rows."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_a_late_cell_in_a_column_without_a_name_has_a_column(tmp_path: Path) -> None:
    """It comes after the rows by which the layout is decided; so does a cell beside the table."""
    rows: list[list[Any]] = [["size", None, "note"], *([n, None, "x"] for n in range(600))]
    rows[560][1] = "late"
    rows[570].append("beside")
    path = write_sheet(tmp_path / "t.xlsx", rows)
    with opened_table(path, SPEC) as table:
        assert table.names == ("size", "column_2", "note", "column_4")
        read = [row for block, _ in table.blocks(None) for row in block]
    assert read[559].values["column_2"] == "late"
    assert "has a cell in column 4" in read[569].fault
    assert read[569].values == {"size": 569, "note": "x", "column_4": "beside"}


@pytest.mark.parametrize("content", [["size", "note"], ["repeats"]])
def test_a_bad_row_of_a_sheet_keeps_its_cells(tmp_path: Path, content: list[Any]) -> None:
    """Its error stands beside them."""
    rows: list[list[Any]] = [["size", "note"], [1, "a"], [2, "b"], content, [None, "=1+1"]]
    path = write_sheet(tmp_path / "t.xlsx", rows)
    [[*_, bad, formula]] = blocks_of(path)
    assert list(bad.values.values()) == content
    assert "B5 has a formula without a result" in formula.fault


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """A file is read twice; nothing waits for a writer of the pipe."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataFileError, match="pipe: is a pipe or a device; write its content into"):
        blocks_of(tmp_path / "pipe")
