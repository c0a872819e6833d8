"""Tests of what a job makes of a file, without a store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest

from db.errors import DataFileError, StoreError
from enrich.commands.file_jobs.draft_dataset import free_name, likely_targets
from enrich.commands.file_jobs.job_work import JobWork
from enrich.commands.file_jobs.predict_rows import output_suffix
from enrich.commands.file_jobs.workbook import write_workbook


@pytest.fixture
def work() -> JobWork:
    """Return the work on a job in a folder."""
    nothing = SimpleNamespace()
    folder = Path("/var/x/veilleuse-job-x1")
    return JobWork(nothing, nothing, nothing, nothing, folder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (DataFileError("/var/x/veilleuse-job-x1/a.csv:3: is bad"), "a.csv:3: is bad"),
        (DataFileError("cannot read '/srv/data/b c/d.bin'"), "cannot read 'b c/d.bin'"),
        (DataFileError("n/a and 1/2/2024 stay"), "n/a and 1/2/2024 stay"),
        (StoreError("/srv/store.db: is locked"), "StoreError, which the worker's log explains"),
        (KeyError("/srv/secret"), "KeyError, which the worker's log explains"),
    ],
)
def test_an_error_on_a_page_has_no_folders_of_the_machine(
    work: JobWork, error: Exception, shown: str
) -> None:
    """Only our own errors are shown in words."""
    assert work.describe(error) == shown


def test_the_column_to_predict_is_guessed_by_its_name_and_place() -> None:
    """Tables have it last, as a rule."""
    assert likely_targets(["a", "Label", "b"]) == ["Label", "b", "a"]
    assert len(likely_targets([f"c{number}" for number in range(100)])) == 10


def test_a_column_that_is_left_out_has_a_name_in_case_it_is_used() -> None:
    """Names of fields are letters, digits and _."""
    assert free_name("Über-Größe", set()) == "uber_grosse"
    assert free_name("size", {"size"}) == "size_2"
    assert free_name("???", {"field", "field_2"}) == "field_3"


def test_the_output_has_the_format_of_the_file(tmp_path: Path) -> None:
    """Its bytes decide, not its name."""
    for name, data, suffix in (
        ("a.tsv", "x\ty\n", ".tsv"),
        ("b.parquet", "x,y\n", ".csv"),
        ("c.json", '[{"x": 1}]', ".jsonl"),
    ):
        path = tmp_path / name
        path.write_text(data, "utf-8")
        assert output_suffix(path) == suffix


def test_a_workbook_has_numbers_as_numbers_and_runs_no_text(tmp_path: Path) -> None:
    """Codes with leading zeros stay text, and so do formulas."""
    table = tmp_path / "a.csv"
    table.write_text('a,b,c,d\n1.5,007,"=1+1",\n-3,x\x0by,"two\nlines",12345678901234567890\n')
    book = openpyxl.load_workbook(write_workbook(table, tmp_path / "a.xlsx"))
    rows = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
    assert rows[1:] == [[1.5, "007", "=1+1", None], [-3, "xy", "two\nlines", "1234567890" * 2]]
    assert book.worksheets[0]["C2"].data_type == "s"
