"""Tests of importing, exporting and erasing records."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.errors import DataFileError
from db.files.exporter import export_csv, export_rows
from db.files.importer import ImportResult, import_files
from db.ingestion.row import NewRow, RowCounts
from db.records.dataset import Dataset
from db.records.observation import count_labels
from db.records.record import each_record, forget_record
from db.store.store import Store
from db.store.tables import dataset, metadata
from tests.conftest import Done, ask, counts, notes_spec, register, sample_spec


@pytest.fixture
def customers(store: Store) -> Dataset:
    """Return the sample dataset of numbers and choices, without records."""
    return register(store, sample_spec("customers"))


def import_text(
    store: Store, dataset: Dataset, path: Path, text: str, *, strict: bool = False
) -> ImportResult:
    """Write the text into a file and import it."""
    path.write_text(text, "utf-8")
    return import_files(store, dataset, [path], strict=strict)


HEADER = "age,education,income,spending\n"


def test_importing_twice_changes_nothing(store: Store, customers: Dataset, tmp_path: Path) -> None:
    """Rows with the same inputs have the same key."""
    file, text = tmp_path / "a.csv", HEADER + "30,Master,1000,500\n31,PhD,2000,600\n"
    first, second = (
        import_text(store, customers, file, text),
        import_text(store, customers, file, text),
    )
    assert (first.counts.added, second.counts.added) == (2, 0)
    assert second.counts.unchanged == 2
    assert len(list(export_rows(store, customers))) == 2


def test_the_same_number_written_differently_is_the_same_record(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """30, 30.0 and 3e1 are the same number."""
    text = HEADER + "30,Master,1000,500\n30.0,Master,1e3,500\n3e1,Master,1000.0,500\n"
    counts = import_text(store, customers, tmp_path / "a.csv", text).counts
    assert (counts.records, counts.added) == (1, 3)


def test_a_new_label_replaces_the_old_and_is_counted(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """Wrong labels are corrected by importing the rows again."""
    import_text(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n")
    result = import_text(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,700\n")
    assert result.counts == RowCounts(corrected=1)
    assert [row["label"] for row in export_rows(store, customers)] == [700]


def test_a_row_without_a_label_keeps_the_stored_label(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """A file without labels must not delete any."""
    import_text(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n")
    import_text(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,\n")
    with store.reading() as connection:
        assert count_labels(connection, customers.id) == 1


def test_bad_rows_are_named_with_file_and_line_and_skipped(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """The user must be able to find them."""
    text = HEADER + "30,Master,1000,500\nx,Master,1,1\n200,PhD,1,1\n31,PhD,2000\n32,PhD,9,9\n"
    result = import_text(store, customers, tmp_path / "a.csv", text)
    assert (result.counts.added, result.bad) == (2, 3)
    assert [fault.split(":")[1] for fault in result.faults] == ["3", "4", "5"]
    assert "must be a number" in result.faults[0]
    assert "must be at most 130" in result.faults[1]


def test_strict_import_of_a_file_with_a_bad_row_imports_nothing(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """With `strict`, either all rows are imported or none."""
    text = HEADER + "30,Master,1000,500\nx,Master,1,1\n"
    with pytest.raises(DataFileError, match=r"a\.csv:3: age: must be a number"):
        import_text(store, customers, tmp_path / "a.csv", text, strict=True)
    assert list(export_rows(store, customers)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ('[{"age": 3, "education": "PhD", "income": 1}', "line 1"),
        ('{"age": 3, "education": "PhD", "income": 1}\n{"age": 4', "line 2"),
        ("name,colour\na,b\n", "age, education, income"),
    ],
)
def test_a_file_that_cannot_be_read_is_not_imported_in_part(
    store: Store, customers: Dataset, tmp_path: Path, text: str, words: str
) -> None:
    """The rows before the fault are not imported either."""
    with pytest.raises(DataFileError, match=words):
        import_text(store, customers, tmp_path / "a.txt", text)
    assert list(export_rows(store, customers)) == []


def test_the_command_reports_faults_on_stderr_and_counts_on_stdout(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    """Scripts read the counts, and people read the faults."""
    assert command("db", "upgrade").code == 0
    assert command("db", "load", "datasets/customers.toml").code == 0
    file = tmp_path / "a.csv"
    file.write_text(HEADER.replace("age", "age,shoe") + "30,42,PhD,1,1\n-1,42,PhD,1,1\n", "utf-8")
    done = command("db", "import", "customers", str(file), "--json")
    assert done.code == 0
    assert json.loads(done.out) == counts(added=1, records=1, skipped=1)
    assert f"{file}:3: age: must be at least 0" in done.err
    assert "unused columns: shoe" in done.err


def test_the_command_says_in_one_line_what_became_of_the_rows(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    """Rows with the same inputs are rows of one record, and all of them count."""
    assert command("db", "upgrade").code == 0
    assert command("db", "load", "datasets/customers.toml").code == 0
    file = tmp_path / "a.csv"
    lines = ["30,PhD,42,1", "30,PhD,42,2", "31,PhD,42,1", "31,PhD,42,1"]
    file.write_text("\n".join([HEADER.strip(), *lines]), "utf-8")
    first, second = (command("db", "import", "customers", str(file)).out for _ in range(2))
    assert first == (
        "customers: 4 rows: 4 added, 0 corrected, 0 unchanged, 0 skipped; 2 new records\n"
    )
    assert second == (
        "customers: 4 rows: 0 added, 0 corrected, 4 unchanged, 0 skipped; 0 new records\n"
    )


def test_dropping_a_dataset_deletes_everything_that_belongs_to_it(
    command: Callable[..., Done], store: Store, tmp_path: Path
) -> None:
    """The other dataset stays, and the dropped one can be loaded again."""
    for name in ("customers", "intents"):
        assert command("db", "load", f"datasets/{name}.toml").code == 0
    file = tmp_path / "a.csv"
    rows = "".join(f"{age},PhD,42,{age}\n" for age in range(20, 60))
    file.write_text(HEADER + rows, "utf-8")
    assert command("db", "import", "customers", str(file)).code == 0
    assert command("enrich", "train", "customers").code == 0
    assert command("enrich", "once", "customers").code == 0
    assert command("db", "drop", "customers").code != 0
    done = command("db", "drop", "customers", "--yes")
    assert (done.code, done.out) == (0, "customers: deleted, with 40 records\n")
    with store.reading() as connection:
        for table in metadata.sorted_tables:
            if table.name not in {"generation", "dataset"}:
                count = select(func.count()).select_from(table)
                assert connection.execute(count).scalar_one() == 0, table.name
        assert connection.execute(select(dataset.c.name)).scalars().all() == ["intents"]
    assert command("db", "load", "datasets/customers.toml").code == 0


def test_exported_records_import_into_an_empty_store(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """An exported CSV file can be imported again."""
    import_text(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n31,PhD,2000,\n")
    out = io.StringIO(newline="")
    assert export_csv(store, customers, out) == 2
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["education"] for row in rows] == ["Master", "PhD"]
    result = import_text(store, customers, tmp_path / "b.csv", out.getvalue())
    assert result.counts.unchanged == 2


def test_a_forgotten_record_is_not_exported(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """The owner of the data may ask for its deletion."""
    import_text(
        store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n31,PhD,2000,1\n"
    )
    key = bytes.fromhex(next(export_rows(store, customers))["key"])
    with store.writing() as connection:
        forget_record(connection, customers.id, key)
    assert key.hex() not in {row["key"] for row in export_rows(store, customers)}


@pytest.mark.parametrize(
    "sentence",
    ['"quoted", [and] {braced}', "back\\\\slash \\\\u0041", "œuvre d’été 🕯", "a:b,c", "%s ? :x"],
)
def test_requested_text_is_stored_unchanged(store: Store, sentence: str) -> None:
    """No special character changes the text or the rows next to it."""
    notes = register(store, notes_spec({}))
    each = [notes.spec.read_inputs({"sentence": text}) for text in ("one", sentence, "two")]
    with store.writing() as connection:
        ask(connection, notes.id, [NewRow(notes.spec.key(inputs), inputs) for inputs in each])
    with store.reading() as connection:
        kept = {record.key: record.inputs for record in each_record(connection, notes.id)}
    assert kept == {notes.spec.key(inputs): inputs for inputs in each}


def test_requested_numbers_are_stored_to_the_last_digit(store: Store, customers: Dataset) -> None:
    """Very large and very small numbers lose no digit."""
    values = [0.1, 1e100, 1e-300, 123456789.123456789, 30]
    each = [
        customers.spec.read_inputs({"age": 30, "education": "PhD", "income": income})
        for income in values
    ]
    with store.writing() as connection:
        ask(
            connection,
            customers.id,
            [NewRow(customers.spec.key(inputs), inputs) for inputs in each],
        )
    with store.reading() as connection:
        kept = [record.inputs["income"] for record in each_record(connection, customers.id)]
    assert set(kept) == set(values)


def test_an_input_requested_twice_is_stored_once(store: Store, customers: Dataset) -> None:
    """A second request does not add a record."""
    inputs = customers.spec.read_inputs({"age": 30, "education": "PhD", "income": 1})
    wanted = NewRow(customers.spec.key(inputs), inputs)
    for _ in range(2):
        with store.writing() as connection:
            ask(connection, customers.id, [wanted, wanted])
    with store.reading() as connection:
        records = list(each_record(connection, customers.id))
    assert [record.origin for record in records] == ["request"]
