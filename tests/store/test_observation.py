"""Tests of observations: every row counts, and importing a row again adds nothing."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from db.errors import DataFileError
from db.files import importer
from db.files.exporter import export_csv, export_rows
from db.files.importer import ImportResult, import_files
from db.files.importing import new_rows
from db.ingestion.row import NewRow, RowCounts
from db.ingestion.row_ledger import RowLedger
from db.ingestion.settlement import surplus_rows
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.listings.listing import list_records
from db.records.listings.listing_filter import ListingFilter
from db.records.lookup import find_row
from db.records.observation import (
    RowIds,
    adopt_labels,
    describe_labels,
    has_uncounted_labels,
    summarize_labels,
)
from db.records.record import count_records, each_record, forget_record
from db.records.record_detail import read_record_detail
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField, TextField
from db.store import tables
from db.store.store import Store
from tests.conftest import ask, register

TOWNS: dict[str, Any] = {"town": TextField(), "area": NumberField(optional=True)}


@pytest.fixture
def rents(store: Store) -> Dataset:
    """Return a dataset of rents without an id column."""
    return register(
        store, DatasetSpec(name="rents", kind="regression", target="rent", fields=TOWNS)
    )


@pytest.fixture
def flats(store: Store) -> Dataset:
    """Return a dataset whose rows have an id."""
    spec = DatasetSpec(name="flats", kind="regression", target="rent", id="flat", fields=TOWNS)
    return register(store, spec)


def load(store: Store, dataset: Dataset, path: Path, *rows: str, add: bool = False) -> ImportResult:
    """Write rows below the dataset's header into a file, and import it."""
    ids = ["flat"] if dataset.spec.id else []
    path.write_text("\n".join([",".join([*ids, "town", "area", "rent"]), *rows]), "utf-8")
    return import_files(store, dataset, [path], add=add)


def rows_of(store: Store, dataset: Dataset) -> Counter[tuple[str, float | None, float | None]]:
    """Return all observations as town, area and rent."""
    return Counter(
        (record["inputs"]["town"], record["inputs"]["area"], row["label"])
        for record in export_rows(store, dataset)
        for row in record["observations"]
    )


def ids_of(store: Store, dataset: Dataset) -> dict[str, tuple[str, float | None, float | None]]:
    """Return town, area and rent of each row by its id."""
    return {
        row["id"]: (record["inputs"]["town"], record["inputs"]["area"], row["label"])
        for record in export_rows(store, dataset)
        for row in record["observations"]
    }


LYON = ["Lyon,42,640", "Lyon,42,655", "Lyon,42,702"]


def test_rows_with_the_same_inputs_are_all_kept_with_one_record(
    store: Store, rents: Dataset, tmp_path: Path
) -> None:
    """Two flats that look alike are not one flat."""
    result = load(store, rents, tmp_path / "a.csv", *LYON, "Lille,30,300", "Lille,30,300")
    assert result.counts == RowCounts(added=5, records=2)
    assert rows_of(store, rents) == {
        ("Lyon", 42, 640): 1,
        ("Lyon", 42, 655): 1,
        ("Lyon", 42, 702): 1,
        ("Lille", 30, 300): 2,
    }


@pytest.mark.parametrize("batch", [1, 2, 5000])
def test_importing_the_same_file_again_changes_nothing(
    store: Store, rents: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """It does not matter how the rows fall into batches."""
    monkeypatch.setattr(new_rows, "BATCH_ROWS", batch)
    file, rows = tmp_path / "a.csv", (*LYON, "Lille,30,", "Lyon,42,640", "Lille,30,")
    load(store, rents, file, *rows)
    before = list(export_rows(store, rents))
    assert load(store, rents, file, *rows).counts == RowCounts(unchanged=6)
    assert list(export_rows(store, rents)) == before


def test_a_corrected_file_corrects_the_inputs_that_it_mentions(
    store: Store, rents: Dataset, tmp_path: Path
) -> None:
    """Rows of other inputs stay."""
    load(store, rents, tmp_path / "a.csv", *LYON, "Lille,30,300")
    corrected = load(store, rents, tmp_path / "b.csv", "Lyon,42,640", "Lyon,42,655", "Lyon,42,720")
    assert corrected.counts == RowCounts(corrected=1, unchanged=2)
    shorter = load(store, rents, tmp_path / "c.csv", "Lyon,42,640")
    assert shorter.counts == RowCounts(unchanged=1, removed=2)
    assert rows_of(store, rents) == {("Lyon", 42, 640): 1, ("Lille", 30, 300): 1}


def test_added_rows_stand_beside_others_and_are_added_once(
    store: Store, rents: Dataset, tmp_path: Path
) -> None:
    """Another month may have the very same rows."""
    january, february = tmp_path / "january.csv", tmp_path / "february.csv"
    load(store, rents, january, *LYON)
    assert load(store, rents, february, "Lyon,42,640", add=True).counts == RowCounts(added=1)
    both = rows_of(store, rents)
    assert both["Lyon", 42, 640] == 2
    again = load(store, rents, february, "Lyon,42,640", add=True)
    assert again.added_before is not None
    assert again.counts == RowCounts()
    # Without --add, the file that was added is recognised too.
    assert load(store, rents, february, "Lyon,42,640").added_before is not None
    assert load(store, rents, january, *LYON).counts == RowCounts(unchanged=3)
    assert load(store, rents, january, *LYON, add=True).added_before is not None
    assert rows_of(store, rents) == both


@pytest.mark.parametrize("add", [False, True])
def test_an_interrupted_import_is_completed_by_running_it_again(
    store: Store, rents: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, add: bool
) -> None:
    """It loses and doubles nothing."""
    rows = [*LYON, "Lyon,42,640", "Lille,30,300", "Lille,30,310", "Nice,9,90", "Lyon,42,655"]
    monkeypatch.setattr(new_rows, "BATCH_ROWS", 2)
    for stop in (1, 2, 3):
        with monkeypatch.context() as patched:
            patched.setattr(importer, "let_others_write", stopping(stop))
            with pytest.raises(KeyboardInterrupt):
                load(store, rents, tmp_path / "a.csv", *rows, add=add)
    if add:
        with pytest.raises(DataFileError, match="run it again with --add"):
            load(store, rents, tmp_path / "a.csv", *rows)
    load(store, rents, tmp_path / "a.csv", *rows, add=add)
    expected = Counter((a, float(b), float(c)) for a, b, c in (row.split(",") for row in rows))
    assert rows_of(store, rents) == expected


def stopping(after: int) -> Any:  # noqa: ANN401
    """Return a function that raises KeyboardInterrupt when it is called for the nth time."""
    calls = iter(range(after))

    def stop() -> None:
        if next(calls) == after - 1:
            raise KeyboardInterrupt

    return stop


ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["", "1"]), st.sampled_from(["", "5", "6"])),
    max_size=12,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(ROWS, ROWS)
def test_a_file_sets_exactly_the_rows_of_the_inputs_that_it_mentions(
    store: Store, rents: Dataset, tmp_path: Path, first: list[Any], second: list[Any]
) -> None:
    """Rows without a label never remove a label."""
    with store.writing() as connection:
        for record in list(each_record(connection, rents.id)):
            forget_record(connection, rents.id, record.key)
    expected: Counter[Any] = Counter()
    for rows in (first, second, second):
        if rows:
            load(store, rents, tmp_path / "a.csv", *(",".join(row) for row in rows))
        expected = _after(expected, rows)
        assert rows_of(store, rents) == expected


def _after(before: Counter[Any], rows: list[Any]) -> Counter[Any]:
    """Return the rows that a store should have after an import."""
    new = Counter((town, float(a) if a else None, float(r) if r else None) for town, a, r in rows)
    result = Counter(before)
    for town, area in {row[:2] for row in new}:
        mine = Counter({row: n for row, n in new.items() if row[:2] == (town, area)})
        old = Counter({row: n for row, n in before.items() if row[:2] == (town, area)})
        labelled = Counter({row: n for row, n in old.items() if row[2] is not None})
        if all(row[2] is None for row in mine) and labelled:
            rest = max(mine.total() - labelled.total(), 0)
            mine = labelled + Counter({(town, area, None): rest})
        result = result - old + mine
    return result


def test_the_label_of_a_record_sums_up_its_rows(
    store: Store, rents: Dataset, tmp_path: Path
) -> None:
    """Listings and the record show all of them."""
    load(store, rents, tmp_path / "a.csv", *LYON)
    with store.reading() as connection:
        page = list_records(connection, rents.id, ListingFilter(), regression=True)
        detail = read_record_detail(connection, rents, bytes.fromhex(page.rows[0].key))
    assert float(page.rows[0].label or 0) == pytest.approx((640 + 655 + 702) / 3)
    assert describe_labels(page.rows[0].labels, regression=True) == "640, 655, 702"
    assert detail.labels == page.rows[0].labels
    assert sorted(float(row.label or 0) for row in detail.observations) == [640, 655, 702]


def test_the_most_frequent_label_sums_up_a_classification() -> None:
    """Of equally frequent labels it is the first one of the alphabet."""
    assert summarize_labels({"yes": 2, "no": 3}, regression=False) == "no"
    assert summarize_labels({"yes": 2, "no": 2}, regression=False) == "no"
    assert summarize_labels({}, regression=False) is None
    assert describe_labels({"yes": 126, "no": 1364}, regression=False) == "no ×1,364, yes ×126"


def test_rows_that_stay_are_counted_by_label() -> None:
    """Each label has the rows that the import has, and labels survive a file without any."""
    assert surplus_rows({"a": 3, "b": 1, "": 1}, {"a": 2}) == {"a": 2, "b": 0, "": 0}
    assert surplus_rows({"a": 3, "": 2}, {"": 4}) == {"": 1}
    assert surplus_rows({"a": 3}, {}) == {}


def test_the_ledger_numbers_equal_rows_across_batches() -> None:
    """It also names the keys with more than one row."""
    ledger = RowLedger()
    assert ledger.number([(b"a", "1"), (b"a", "1"), (b"b", "1")], again=[]) == [0, 1, 0]
    assert ledger.number([(b"a", "1"), (b"c", "")], again=[b"a"]) == [2, 0]
    ledger.mark_known([b"c"])
    assert list(ledger.keys_to_settle()) == [b"a", b"c"]
    assert ledger.labels_of([b"a", b"c"]) == {b"a": {"1": 3}, b"c": {"": 1}}
    ledger.close()


def test_a_row_with_an_id_is_updated_with_its_inputs_and_nothing_else_is(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """The record that no row has any more is deleted."""
    first = load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640", "8,Lyon,42,655", "9,Lille,1,5")
    assert first.counts == RowCounts(added=3, records=2)
    second = load(store, flats, tmp_path / "b.csv", "9,Lille,2,5", "8,Lyon,42,660", "7,Lyon,42,640")
    assert second.counts == RowCounts(corrected=2, unchanged=1, records=1)
    assert ids_of(store, flats) == {
        "7": ("Lyon", 42, 640),
        "8": ("Lyon", 42, 660),
        "9": ("Lille", 2, 5),
    }
    with store.reading() as connection:
        assert count_records(connection, flats.id) == 2
        label = next(record.label for record in each_record(connection, flats.id))
    assert label == "650.0"


def test_a_listing_has_the_row_ids_of_its_records(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """Of many it has the first one, and how many there are."""
    load(store, flats, tmp_path / "a.csv", "9,Lyon,42,640", "8,Lyon,42,655", "7,Lille,1,5")
    with store.reading() as connection:
        rows = list_records(connection, flats.id, ListingFilter(), regression=True).rows
        found = {row.inputs["town"]: row.row_ids for row in rows}
        detail = read_record_detail(connection, flats, bytes.fromhex(rows[0].key))
    assert found == {"Lyon": RowIds("8", 2), "Lille": RowIds("7", 1)}
    assert detail.row_ids == rows[0].row_ids
    assert [found[town].describe() for town in ("Lyon", "Lille")] == ["8 and 1 more", "7"]


def test_a_file_with_ids_always_sets_its_rows(store: Store, flats: Dataset, tmp_path: Path) -> None:
    """It does not matter how often it is imported, nor whether it was added."""
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    load(store, flats, old, "7,Lyon,42,640")
    assert load(store, flats, new, "7,Lyon,42,650", add=True).counts.corrected == 1
    assert load(store, flats, old, "7,Lyon,42,640").counts.corrected == 1
    assert load(store, flats, new, "7,Lyon,42,650").counts.corrected == 1
    assert ids_of(store, flats) == {"7": ("Lyon", 42, 650)}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("flat,TOWN,area,rent", "has the column TOWN, but flats reads town"),
        ("Flat,town,area,rent", "has the column Flat, but flats reads flat"),
        ("town,area,rent", "has no column flat, which identifies the rows"),
    ],
)
def test_a_column_with_another_name_is_refused_before_anything_is_written(
    store: Store, flats: Dataset, tmp_path: Path, header: str, words: str
) -> None:
    """Otherwise its values would be missing in every row."""
    (tmp_path / "a.csv").write_text(f"{header}\n1,2,3,4"[: len(header) + 8], "utf-8")
    with pytest.raises(DataFileError, match=words):
        import_files(store, flats, [tmp_path / "a.csv"])


def test_a_row_without_a_label_keeps_the_label_of_its_id(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """A file to predict has no labels."""
    load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640")
    assert load(store, flats, tmp_path / "a.csv", "7,Lyon,42,").counts == RowCounts(unchanged=1)
    assert load(store, flats, tmp_path / "a.csv", "7,Lyon,43,").counts.corrected == 1
    assert ids_of(store, flats) == {"7": ("Lyon", 43, 640)}


@pytest.mark.parametrize("batch", [1, 5000])
def test_an_id_that_comes_twice_in_a_file_is_one_row_and_is_counted(
    store: Store, flats: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The last row counts."""
    monkeypatch.setattr(new_rows, "BATCH_ROWS", batch)
    result = load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640", "7,Lyon,42,650", "8,Nice,1,1")
    assert (result.counts.added, result.counts.repeated) == (2, 1)
    assert ids_of(store, flats) == {"7": ("Lyon", 42, 650), "8": ("Nice", 1, 1)}
    load(store, flats, tmp_path / "b.csv", "7,Metz,3,650", "7,Brest,4,660")
    with store.reading() as connection:
        towns = {record.inputs["town"] for record in each_record(connection, flats.id)}
    assert towns == {"Brest", "Nice"}


def test_a_row_without_an_id_is_bad(store: Store, flats: Dataset, tmp_path: Path) -> None:
    """It could not be told from other rows."""
    result = load(store, flats, tmp_path / "a.csv", ",Lyon,42,640", "7,Lyon,42,640")
    assert result.counts.added == 1
    assert result.faults == [f"{tmp_path / 'a.csv'}:2: flat: is missing; it identifies the row"]


def test_a_requested_record_stays_when_its_row_gets_other_inputs(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """Its prediction is still asked for."""
    inputs = flats.spec.read_inputs({"town": "Lyon", "area": 42})
    with store.writing() as connection:
        ask(connection, flats.id, [NewRow(flats.spec.key(inputs), inputs)])
    load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640")
    load(store, flats, tmp_path / "a.csv", "7,Lyon,43,640")
    with store.reading() as connection:
        records = {record.inputs["area"]: record for record in each_record(connection, flats.id)}
    assert (records[42].origin, records[42].label) == ("request", None)
    assert (records[43].origin, records[43].label) == ("import", "640.0")


def test_an_id_column_that_is_named_later_takes_the_rows_over(
    store: Store, rents: Dataset, tmp_path: Path
) -> None:
    """Importing the file again does not double its rows."""
    load(store, rents, tmp_path / "a.csv", *LYON)
    spec = DatasetSpec(name="rents", kind="regression", target="rent", id="flat", fields=TOWNS)
    with_ids = register(store, spec)
    rows = [f"{number},{row}" for number, row in enumerate(LYON)]
    result = load(store, with_ids, tmp_path / "a.csv", *rows)
    assert result.counts == RowCounts(corrected=3)
    assert len(ids_of(store, with_ids)) == 3


def test_a_label_that_older_code_wrote_becomes_an_observation(
    store: Store, rents: Dataset, tmp_path: Path
) -> None:
    """While a deployment replaces the code, both versions write to the store."""
    load(store, rents, tmp_path / "a.csv", *LYON, "Lille,30,")
    with store.writing() as connection:
        town = tables.record.c.inputs.contains("Lille")
        assert not has_uncounted_labels(connection, rents.id)
        connection.execute(update(tables.record).where(town).values(label="300.0"))
        assert has_uncounted_labels(connection, rents.id)
        assert adopt_labels(connection, rents.id) == 1
        assert not has_uncounted_labels(connection, rents.id)
    assert rows_of(store, rents)["Lille", 30, 300] == 1


def test_a_row_is_found_by_its_id(store: Store, flats: Dataset, tmp_path: Path) -> None:
    """An unknown id has no row."""
    load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640")
    with store.reading() as connection:
        found, unknown = (find_row(connection, flats.id, row_id) for row_id in ("7", "8"))
    assert found is not None
    assert (found.inputs, found.body) == ({"town": "Lyon", "area": 42}, None)
    assert unknown is None


def test_exported_rows_import_into_the_same_dataset_without_a_change(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """Each row is a line of the CSV file."""
    load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640", "8,Lyon,42,655", "9,Lille,,5")
    out = io.StringIO(newline="")
    assert export_csv(store, flats, out) == 3
    (tmp_path / "b.csv").write_text(out.getvalue(), "utf-8")
    assert import_files(store, flats, [tmp_path / "b.csv"]).counts == RowCounts(unchanged=3)


def test_rows_of_a_request_follow_the_rules_of_a_file(store: Store, rents: Dataset) -> None:
    """They correct the inputs that they mention."""
    inputs = rents.spec.read_inputs({"town": "Lyon"})
    rows = [NewRow(rents.spec.key(inputs), inputs, label) for label in ("640.0", "655.0")]
    with store.writing() as connection:
        assert add_rows(connection, rents, rows, "api") == RowCounts(added=2, records=1)
        assert add_rows(connection, rents, rows, "api") == RowCounts(unchanged=2)
        assert add_rows(connection, rents, rows[:1], "api") == RowCounts(unchanged=1, removed=1)


def test_a_file_that_lacks_a_column_does_not_empty_the_rows_with_its_ids(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """The message says what to add."""
    path = tmp_path / "a.csv"
    load(store, flats, path, "7,Lyon,42,640")
    path.write_text("flat,town,rent\n7,Lyon,650", "utf-8")
    with pytest.raises(DataFileError, match="has no column area, so its rows would lose"):
        import_files(store, flats, [path])
    assert ids_of(store, flats) == {"7": ("Lyon", 42, 640)}


def test_a_column_that_a_file_lacks_is_named(store: Store, rents: Dataset, tmp_path: Path) -> None:
    """Its values are missing in each row; the first row need not have any value."""
    (tmp_path / "a.csv").write_text("town,rent\n,650\nLyon,640", "utf-8")
    result = import_files(store, rents, [tmp_path / "a.csv"])
    assert "has no column area, so these values are missing in each row" in result.notes[0]
    assert (result.counts.added, result.bad) == (1, 1)


@pytest.mark.parametrize("spelling", ["7", "7.0", " 7.00 "])
def test_an_id_that_a_program_has_written_as_a_decimal_is_the_same_id(
    store: Store, flats: Dataset, tmp_path: Path, spelling: str
) -> None:
    """A code with a leading zero is another id."""
    load(store, flats, tmp_path / "a.csv", "7,Lyon,42,640", "007,Lille,1,1")
    assert load(store, flats, tmp_path / "a.csv", f"{spelling},Lyon,42,650").counts.corrected == 1
    assert ids_of(store, flats) == {"7": ("Lyon", 42, 650), "007": ("Lille", 1, 1)}
