"""Records in, from files; records out; records erased."""

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
from db.records.dataset import Dataset
from db.records.record import NewRecord, count_labels, each_record, forget_record
from db.store.engine import Store
from db.store.tables import dataset, metadata
from tests.conftest import Done, ask, counts, notes_spec, register, sample_spec


@pytest.fixture
def customers(store: Store) -> Dataset:
    """Give the sample of numbers and choices, without records."""
    return register(store, sample_spec("customers"))


def put(
    store: Store, dataset: Dataset, path: Path, text: str, *, strict: bool = False
) -> ImportResult:
    """Import a file with that text."""
    path.write_text(text, "utf-8")
    return import_files(store, dataset, [path], strict=strict)


HEADER = "age,education,income,spending\n"


def test_importing_twice_changes_nothing(store: Store, customers: Dataset, tmp_path: Path) -> None:
    """Rows are keyed."""
    file, text = tmp_path / "a.csv", HEADER + "30,Master,1000,500\n31,PhD,2000,600\n"
    first, second = put(store, customers, file, text), put(store, customers, file, text)
    assert (first.added.created, second.added.created) == (2, 0)
    assert second.added.unchanged == 2
    assert len(list(export_rows(store, customers))) == 2


def test_the_same_number_written_otherwise_is_the_same_record(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """30 = 30.0 = 3e1."""
    text = HEADER + "30,Master,1000,500\n30.0,Master,1e3,500\n3e1,Master,1000.0,500\n"
    assert put(store, customers, tmp_path / "a.csv", text).added.created == 1


def test_a_new_label_replaces_the_old_and_is_counted(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """Labels are mended by importing them again."""
    put(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n")
    result = put(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,700\n")
    assert result.added.relabelled == 1
    assert [row["label"] for row in export_rows(store, customers)] == [700]


def test_a_row_without_label_leaves_the_label_that_is_there(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """A file without labels says nothing about them."""
    put(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n")
    put(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,\n")
    with store.reading() as connection:
        assert count_labels(connection, customers.id) == 1


def test_bad_rows_are_named_with_file_and_line_and_skipped(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """A person must find them."""
    text = HEADER + "30,Master,1000,500\nx,Master,1,1\n200,PhD,1,1\n31,PhD,2000\n32,PhD,9,9\n"
    result = put(store, customers, tmp_path / "a.csv", text)
    assert (result.added.created, result.bad) == (2, 3)
    assert [fault.split(":")[1] for fault in result.faults] == ["3", "4", "5"]
    assert "must be a number" in result.faults[0]
    assert "must be at most 130" in result.faults[1]


def test_strict_import_of_a_file_with_a_bad_row_imports_nothing(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """All or nothing, for whoever wants that."""
    text = HEADER + "30,Master,1000,500\nx,Master,1,1\n"
    with pytest.raises(DataFileError, match=r"a\.csv:3: age: must be a number"):
        put(store, customers, tmp_path / "a.csv", text, strict=True)
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
def test_a_file_that_is_wrong_as_a_whole_is_not_half_imported(
    store: Store, customers: Dataset, tmp_path: Path, text: str, words: str
) -> None:
    """Rows before the fault are not taken either."""
    with pytest.raises(DataFileError, match=words):
        put(store, customers, tmp_path / "a.txt", text)
    assert list(export_rows(store, customers)) == []


def test_the_command_reports_faults_on_stderr_and_counts_on_stdout(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    """What a script reads is apart from what a person reads."""
    assert command("db", "upgrade").code == 0
    assert command("db", "load", "datasets/customers.toml").code == 0
    file = tmp_path / "a.csv"
    file.write_text(HEADER.replace("age", "age,shoe") + "30,42,PhD,1,1\n-1,42,PhD,1,1\n", "utf-8")
    done = command("db", "import", "customers", str(file), "--json")
    assert done.code == 0
    assert json.loads(done.out) == counts(created=1, relabelled=0, unchanged=0, skipped=1)
    assert f"{file}:3: age: must be at least 0" in done.err
    assert "unused columns: shoe" in done.err


def test_rows_that_repeat_each_others_inputs_are_told_with_what_they_contradict(
    command: Callable[..., Done], tmp_path: Path
) -> None:
    """They are one record, and the last label counts."""
    assert command("db", "upgrade").code == 0
    assert command("db", "load", "datasets/customers.toml").code == 0
    file = tmp_path / "a.csv"
    lines = ["30,PhD,42,1", "30,PhD,42,2", "31,PhD,42,1", "31,PhD,42,1"]
    file.write_text("\n".join([HEADER.strip(), *lines]), "utf-8")
    done = command("db", "import", "customers", str(file))
    assert "2 created, 0 relabelled, 0 unchanged" in done.out
    assert "2 rows have the same inputs as another row" in done.err
    assert "1 of them with another spending" in done.err


def test_a_dropped_dataset_is_gone_with_all_that_was_its(
    command: Callable[..., Done], store: Store, tmp_path: Path
) -> None:
    """And no other; it can be loaded anew, with other fields."""
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
    """CSV out is CSV in."""
    put(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n31,PhD,2000,\n")
    out = io.StringIO(newline="")
    assert export_csv(store, customers, out) == 2
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["education"] for row in rows] == ["Master", "PhD"]
    run_once = put(store, customers, tmp_path / "b.csv", out.getvalue())
    assert run_once.added.unchanged == 2


def test_a_forgotten_record_leaves_nothing_behind(
    store: Store, customers: Dataset, tmp_path: Path
) -> None:
    """Its owner may ask for that."""
    put(store, customers, tmp_path / "a.csv", HEADER + "30,Master,1000,500\n31,PhD,2000,1\n")
    key = bytes.fromhex(next(export_rows(store, customers))["key"])
    with store.writing() as connection:
        forget_record(connection, customers.id, key)
    assert key.hex() not in {row["key"] for row in export_rows(store, customers)}


@pytest.mark.parametrize(
    "sentence",
    ['"quoted", [and] {braced}', "back\\\\slash \\\\u0041", "œuvre d’été 🕯", "a:b,c", "%s ? :x"],
)
def test_what_people_ask_for_is_kept_to_the_letter(store: Store, sentence: str) -> None:
    """Whatever they write, alone or among others."""
    notes = register(store, notes_spec({}))
    each = [notes.spec.read_inputs({"sentence": text}) for text in ("one", sentence, "two")]
    with store.writing() as connection:
        ask(connection, notes.id, [NewRecord(notes.spec.key(inputs), inputs) for inputs in each])
    with store.reading() as connection:
        kept = {one.key: one.inputs for one in each_record(connection, notes.id)}
    assert kept == {notes.spec.key(inputs): inputs for inputs in each}


def test_numbers_that_people_ask_for_are_kept_to_the_last_digit(
    store: Store, customers: Dataset
) -> None:
    """However large or small."""
    values = [0.1, 1e100, 1e-300, 123456789.123456789, 30]
    each = [
        customers.spec.read_inputs({"age": 30, "education": "PhD", "income": income})
        for income in values
    ]
    with store.writing() as connection:
        ask(connection, customers.id, [NewRecord(customers.spec.key(one), one) for one in each])
    with store.reading() as connection:
        kept = [one.inputs["income"] for one in each_record(connection, customers.id)]
    assert sorted(kept) == sorted(values)


def test_what_people_ask_for_is_marked_once(store: Store, customers: Dataset) -> None:
    """Asked twice, or already imported, it is one record."""
    inputs = customers.spec.read_inputs({"age": 30, "education": "PhD", "income": 1})
    wanted = NewRecord(customers.spec.key(inputs), inputs)
    for _ in range(2):
        with store.writing() as connection:
            ask(connection, customers.id, [wanted, wanted])
    with store.reading() as connection:
        records = list(each_record(connection, customers.id))
    assert [one.origin for one in records] == ["request"]
