"""Excel and Parquet files on the command line: infer, import and evaluate."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from tests.extent import FULL

from .conftest import run_in

ROWS = [
    {"area": 20 + n % 90, "town": ("Lille", "Lyon", "Paris")[n % 3], "rent": 300 + 11 * (n % 90)}
    for n in range(240)
]


def write_excel(path: Path) -> None:
    """Write a sheet with a title above the table."""
    sheet = Workbook().active
    assert sheet is not None
    sheet.append(["Rents 2025"])
    sheet.append([])
    sheet.append(list(ROWS[0]))
    for row in ROWS:
        sheet.append(list(row.values()))
    assert sheet.parent is not None
    sheet.parent.save(path)


def write_csv(path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([ROWS[0], *(row.values() for row in ROWS)])


def write_zip(path: Path) -> None:
    """Write the table as a compressed CSV file."""
    write_csv(path.with_suffix(".csv"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".csv"), "rents.csv")


WRITERS: dict[str, Callable[[Path], object]] = {
    "rents.xlsx": write_excel,
    "rents.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "rents.zip": write_zip,
}


@pytest.mark.slow
# Of the formats, the two that are not text; the others are read by the same code as CSV.
@pytest.mark.parametrize("name", WRITERS if FULL else ["rents.xlsx", "rents.parquet"])
def test_a_file_of_each_format_is_inferred_imported_and_evaluated(
    name: str, tmp_path: Path, sqlite_url: str
) -> None:
    """A CSV file of the same rows changes nothing."""
    WRITERS[name](tmp_path / name)
    write_csv(tmp_path / "same.csv")
    run = partial(run_in, tmp_path, sqlite_url)
    assert run("db", "upgrade").code == 0
    inferred = run("db", "infer", name, "--target", "rent")
    assert inferred.code == 0, inferred.err
    assert ("Rents 2025" in inferred.out + inferred.err) == (name == "rents.xlsx")
    assert run("db", "load", "rents.toml").code == 0
    assert "240 added" in run("db", "import", "rents", name).out
    assert "240 unchanged" in run("db", "import", "rents", "same.csv").out
    assert run("enrich", "train", "rents").code == 0
    evaluated = run("enrich", "evaluate", "--every-row", "rents", name)
    assert evaluated.code == 0, evaluated.err
    assert "240" in evaluated.out


def test_a_hostile_file_is_refused_in_one_line_and_nothing_is_imported(
    tmp_path: Path, sqlite_url: str
) -> None:
    """Whatever is wrong with it."""
    write_csv(tmp_path / "rents.csv")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + b"\0" * 20)
    (tmp_path / "cut.xlsx").write_bytes(b"PK\x03\x04" + b"\0" * 20)
    run = partial(run_in, tmp_path, sqlite_url)
    assert run("db", "upgrade").code == 0
    assert run("db", "infer", "rents.csv", "--target", "rent").code == 0
    assert run("db", "load", "rents.toml").code == 0
    for name, reason in (("cut.parquet", "is cut off"), ("cut.xlsx", "is damaged")):
        done = run("db", "import", "rents", name)
        assert done.code == 1
        assert reason in done.err
        assert len(done.err.strip().splitlines()) == 1
        assert run("db", "export", "rents").out.count("\n") <= 1
