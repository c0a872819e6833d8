"""Tests of labels that are imported from files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from db.errors import DataFileError
from db.files.labels.label_import import LabelImport, import_labels
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.labels.truth import TellCounts
from db.records.dataset import Dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs, TextField
from db.store import tables
from db.store.store import Store
from tests.conftest import make_store, register, run_command
from tests.store.test_truth import serve

THANKS: Inputs = {"sentence": "merci"}
BILL: Inputs = {"sentence": "la facture"}


@pytest.fixture
def store(sqlite_url: str) -> Store:
    """Return a store."""
    return make_store(sqlite_url)


@pytest.fixture
def dataset(store: Store) -> Dataset:
    """Return a dataset with two rows without labels, which were answered."""
    spec = DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        id="number",
        labels=("warm", "cold"),
        fields={"sentence": TextField()},
    )
    made = register(store, spec)
    rows = [NewRow(spec.key(one), one, None, str(at)) for at, one in enumerate((THANKS, BILL))]
    store.write(partial(add_rows, dataset=made, rows=rows, origin="import"))
    serve(store, made, THANKS, "r1")
    serve(store, made, BILL, "r2")
    return made


def labels_from(store: Store, dataset: Dataset, path: Path, text: str) -> LabelImport:
    """Import labels from a file with this text."""
    path.write_text(text, "utf-8")
    return import_labels(store, dataset, [path], "import")


def test_rows_name_what_they_are_the_truth_of(
    store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    """By row id, by request id, by inputs, or by both; importing them again changes nothing."""
    text = (
        "number,request_id,sentence,tone,else\n"
        "0,,,warm,x\n,r2,,warm,\n,,bonjour,cold,\n,r9,la facture,cold,\n1,,,,\n"
    )
    result = labels_from(store, dataset, tmp_path / "labels.csv", text)
    assert (result.faults, result.rows, result.without) == ([], 4, 1)
    assert result.counts == TellCounts(added=4, records=1, judged=3)
    again = labels_from(store, dataset, tmp_path / "labels.csv", text)
    assert again.counts == TellCounts(unchanged=4)


def test_bad_rows_are_reported_with_their_line_and_the_others_are_told(
    store: Store, dataset: Dataset, tmp_path: Path
) -> None:
    """Faults of the file and of the store are reported alike."""
    path = tmp_path / "labels.csv"
    text = "number,request_id,tone\n0,,warm\n1,,hot\n9,,warm\n,r7,cold\n,,cold\n1,,cold\n"
    result = labels_from(store, dataset, path, text)
    assert (result.rows, result.bad, result.counts.added) == (2, 4, 2)
    named = sorted(fault.removeprefix(f"{path}:") for fault in result.faults)
    assert named[0].startswith("3: tone: must be one of warm, cold")
    assert named[1].startswith("4: number: notes has no row with the number '9'")
    assert named[2].startswith("5: request_id: no answer was recorded")
    with pytest.raises(DataFileError, match="no row has a value for tone"):
        labels_from(store, dataset, path, "number,tune\n0,warm\n")
    with pytest.raises(DataFileError, match=r"the first fault: .*:2: number: notes has no row"):
        labels_from(store, dataset, path, "number,tone\n8,warm\n")
    assert named[3] == "6: request_id: is missing, and so are number and all inputs"


def test_the_command_says_what_became_of_the_labels(
    store: Store, dataset: Dataset, sqlite_url: str, tmp_path: Path
) -> None:
    """The faults are on standard error."""
    path = tmp_path / "labels.csv"
    path.write_text("number,tone\n0,cold\n9,warm\n", "utf-8")
    done = run_command(sqlite_url, "db", "import", "notes", str(path), "--labels")
    assert done.code == 0, done.err
    assert done.out == (
        "notes: 2 labels: 1 added, 0 corrected, 0 unchanged, 1 skipped; 1 compared with an answer,"
        " 0 new records\n"
    )
    assert f"{path}:3: number: notes has no row with the number '9'" in done.err
    with store.reading() as connection:
        [outcome] = connection.execute(select(tables.outcome)).all()
    assert (outcome.prediction, outcome.label) == ("warm", "cold")
    assert outcome.dataset_id == dataset.id
