"""Rows of users' databases, imported by a query: all, those that changed, and those that left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import create_engine, select, text

from db.errors import DataFileError, ExchangeError, VeilleuseError
from db.exchange.incremental_import import import_from_source
from db.files.exporter import export_rows
from db.files.importer import ImportResult, import_files
from db.ingestion.row import NewRow, RowCounts
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset, register_dataset
from db.records.record import count_records
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import Inputs, NumberField, TextField
from db.spec.section import SourceSpec
from db.store import tables
from db.store.store import Store
from tests.conftest import register

QUERY = "SELECT id, city, rent, good, changed FROM flats"
SOURCE = SourceSpec(url="SHOP", query=QUERY, since_column="changed", remove_missing=True)
# Before now, so that the database's clock is after all times of the tests.
START = datetime(2025, 3, 1, 12, tzinfo=UTC)


@dataclass
class Shop:
    """The database of a user, with a table of flats whose `changed` is in minutes from START."""

    url: str

    def run(self, statement: str, **values: object) -> None:
        """Run a statement."""
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        engine.dispose()

    def put(self, row_id: int, city: str, *, good: str = "yes", changed: int | None = 0) -> None:
        """Add a row, or replace it."""
        self.run("DELETE FROM flats WHERE id = :id", id=row_id)
        values = {"id": row_id, "city": city, "good": good, "changed": self.moment(changed)}
        self.run("INSERT INTO flats VALUES (:id, :city, 500.5, :good, :changed)", **values)

    def moment(self, minutes: int | None) -> Any:  # noqa: ANN401
        """Return a time as the database keeps it."""
        if minutes is None:
            return None
        moment = START + timedelta(minutes=minutes)
        return f"{moment:%Y-%m-%d %H:%M:%S}" if self.url.startswith("sqlite") else moment


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, postgres: Callable[[], str]) -> Shop:
    """Return a user's database with an empty table."""
    is_sqlite = request.param == "sqlite"
    made = Shop(f"sqlite:///{tmp_path / 'shop.db'}" if is_sqlite else postgres())
    kind = "TEXT" if is_sqlite else "TIMESTAMPTZ"
    made.run(
        "CREATE TABLE flats (id INTEGER PRIMARY KEY, city TEXT, rent NUMERIC, good TEXT,"
        f" changed {kind})"
    )
    return made


@pytest.fixture
def flats(store: Store) -> Dataset:
    """Return a dataset of flats with ids."""
    return register(store, flats_spec())


def flats_spec(row_id: str = "id") -> DatasetSpec:
    """Return the spec of flats."""
    return DatasetSpec(
        name="flats",
        kind="classification",
        target="good",
        id=row_id,
        fields={"city": TextField(), "rent": NumberField()},
    )


def imported(
    store: Store,
    dataset: Dataset,
    shop: Shop,
    source: SourceSpec = SOURCE,
    **options: Any,  # noqa: ANN401
) -> ImportResult:
    """Import the flats."""
    return import_from_source(store, dataset, source, {"SHOP": shop.url}, **options)


def cities(store: Store, dataset: Dataset) -> dict[str, str]:
    """Return the city of each row id."""
    return {
        row["id"]: record["inputs"]["city"]
        for record in export_rows(store, dataset)
        for row in record["observations"]
    }


def test_a_second_run_reads_what_changed_and_removes_what_left(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """The counts name exactly the rows that differ; others are read only in the overlap."""
    for row_id in range(1, 21):
        shop.put(row_id, f"city {row_id}", changed=row_id)
    assert imported(store, flats, shop).counts == RowCounts(added=20, records=20)
    shop.put(3, "moved", changed=60)
    shop.put(21, "new", changed=61)
    shop.run("DELETE FROM flats WHERE id IN (5, 20)")
    result = imported(store, flats, shop)
    # Of the five minutes before minute 20, the rows 15 to 19 are left.
    assert result.counts == RowCounts(added=1, corrected=1, unchanged=5, removed=2, records=2)
    found = cities(store, flats)
    assert found["3"] == "moved"
    assert found.keys() == {str(row_id) for row_id in range(1, 22)} - {"5", "20"}


def test_a_row_committed_late_is_found_within_the_overlap(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """A row beyond the overlap is found by reading all rows."""
    source = structs.replace(SOURCE, overlap_seconds=600)
    shop.put(1, "first", changed=60)
    imported(store, flats, shop, source)
    shop.put(2, "late", changed=51)
    shop.put(3, "too late", changed=40)
    assert imported(store, flats, shop, source).counts.added == 1
    assert imported(store, flats, shop, source, read_all=True).counts.added == 1


def test_rows_without_a_time_are_read_by_every_run(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """A note says how many there are."""
    shop.put(1, "timeless", changed=None)
    shop.put(2, "old", changed=0)
    shop.put(3, "new", changed=60)
    imported(store, flats, shop)
    shop.put(1, "moved", changed=None)
    result = imported(store, flats, shop)
    assert (result.counts.corrected, result.counts.unchanged) == (1, 1)
    assert result.notes == ["changed: 1 rows have none, so every run reads them"]


def test_numbers_have_no_overlap_and_keep_all_digits(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """The position is above 2^53, where a float would lose the last digit."""
    query = "SELECT id, city, rent, good, id + 9007199254740992 AS version FROM flats"
    source = SourceSpec(url="SHOP", query=query, since_column="version")
    for row_id in (1, 2, 3):
        shop.put(row_id, "somewhere")
    imported(store, flats, shop, source)
    shop.put(4, "new")
    assert imported(store, flats, shop, source).counts == RowCounts(added=1, unchanged=1, records=1)


def test_another_query_database_or_spec_begins_anew(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """Otherwise rows that the earlier query left out would never be read."""
    shop.put(1, "old", changed=0)
    shop.put(2, "new", changed=60)
    assert imported(store, flats, shop).rows == 2
    assert imported(store, flats, shop).rows == 1
    other = structs.replace(SOURCE, query=f"{QUERY} WHERE 1 = 1")
    assert imported(store, flats, shop, other).rows == 2
    with store.writing() as connection:
        register_dataset(connection, structs.replace(flats.spec, missing=("n/a",)))
    changed = register(store, structs.replace(flats.spec, missing=("n/a",)))
    assert imported(store, changed, shop).rows == 2


def test_a_time_in_the_future_does_not_hide_later_rows(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """The next run begins at the database's own clock."""
    century = 100 * 366 * 24 * 60
    shop.put(1, "from the future", changed=century)
    result = imported(store, flats, shop)
    assert "is after the database's clock" in result.notes[0]
    now = int((datetime.now(UTC) - START).total_seconds() // 60)
    shop.put(2, "from now", changed=now)
    assert imported(store, flats, shop).counts.added == 1


def test_the_position_is_stored_only_when_all_rows_are(
    store: Store, flats: Dataset, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that fails in the middle is repeated by the next one."""
    shop.put(1, "first", changed=0)
    with monkeypatch.context() as patched:
        patched.setattr("db.files.importer.finish_submission", fail)
        with pytest.raises(ZeroDivisionError):
            imported(store, flats, shop)
    with store.reading() as connection:
        assert connection.execute(select(tables.import_position)).all() == []
    assert imported(store, flats, shop).counts.unchanged == 1


def fail(*_: object, **__: object) -> None:
    """Fail."""
    raise ZeroDivisionError


def test_a_source_without_rows_removes_nothing(store: Store, flats: Dataset, shop: Shop) -> None:
    """An emptied table is more often an accident."""
    shop.put(1, "first")
    imported(store, flats, shop)
    shop.run("DELETE FROM flats")
    for read_all in (False, True):
        with pytest.raises(VeilleuseError, match="no row was removed"):
            imported(store, flats, shop, read_all=read_all)
    assert cities(store, flats) == {"1": "first"}


def test_bad_rows_are_named_and_not_removed(store: Store, flats: Dataset, shop: Shop) -> None:
    """A row whose new value is bad is still there, so it keeps its old value."""
    shop.put(1, "first")
    shop.put(2, "second")
    imported(store, flats, shop)
    rent = "CASE id WHEN 2 THEN 'dear' ELSE '500.5' END AS rent"
    query = f"SELECT id, city, {rent}, good FROM flats ORDER BY id"  # noqa: S608
    source = SourceSpec(url="SHOP", query=query, remove_missing=True)
    result = imported(store, flats, shop, source)
    assert result.bad == 1
    assert "(query):2: rent: " in result.faults[0]
    assert cities(store, flats) == {"1": "first", "2": "second"}
    with pytest.raises(DataFileError, match="1 bad rows, so nothing was imported"):
        imported(store, flats, shop, source, strict=True)


def test_rows_of_requests_stay_when_missing_rows_are_removed(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """The label of a record that loses one of its rows is summed up again."""
    for row_id in (1, 2):
        shop.put(row_id, "shared", good="no")
    for row_id in (3, 4):
        shop.put(row_id, f"alone {row_id}")
    imported(store, flats, shop)
    inputs: Inputs = {"city": "shared", "rent": 500.5}
    key = flats.spec.key(inputs)
    rows = [NewRow(key, inputs, "yes", "api-1")]
    store.write(lambda connection: add_rows(connection, flats, rows, "api"))
    shop.run("DELETE FROM flats WHERE id < 4")
    assert imported(store, flats, shop).counts.removed == 3
    assert cities(store, flats).keys() == {"4", "api-1"}
    with store.reading() as connection:
        assert count_records(connection, flats.id) == 2
        labels = select(tables.record.c.label).where(tables.record.c.key == key)
        assert connection.execute(labels).scalar() == "yes"


def test_a_query_cannot_change_the_database(store: Store, flats: Dataset, shop: Shop) -> None:
    """Neither by itself nor behind a SELECT."""
    shop.put(1, "first")
    for query in (
        "DELETE FROM flats RETURNING id, city, rent, good",
        "WITH gone AS (DELETE FROM flats RETURNING *) SELECT * FROM gone",
        "SELECT id, city, rent, good FROM flats; DELETE FROM flats",
        "SELECT id, city, rent, good FROM flats; COMMIT; DELETE FROM flats",
    ):
        with pytest.raises(ExchangeError):
            imported(store, flats, shop, SourceSpec(url="SHOP", query=query))
    assert imported(store, flats, shop).rows == 1


def test_columns_that_cannot_be_told_apart_are_refused(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """So are a table and a column that do not exist."""
    shop.put(1, "first")
    for query, reason in (
        ("SELECT id, city, city FROM flats", "two columns named city"),
        ('SELECT id, city, rent AS "" FROM flats', "has no name|zero-length"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELECT nothing FROM flats", "nothing"),
        ("SELECT id, city, rent, good FROM flats", "has no column changed; its columns are id"),
    ):
        with pytest.raises(ExchangeError, match=reason):
            imported(store, flats, shop, structs.replace(SOURCE, query=query))


def test_a_percent_sign_and_a_colon_in_the_query_stay_as_they_are(
    store: Store, flats: Dataset, shop: Shop
) -> None:
    """Also in the query of a later run, which has a parameter; and it may end with a comment."""
    query = f"{QUERY} WHERE city LIKE 'a%' AND city <> ':b %s' -- the end"
    source = structs.replace(SOURCE, query=query)
    shop.put(1, "anywhere")
    shop.put(2, "somewhere")
    assert imported(store, flats, shop, source).rows == 1
    assert imported(store, flats, shop, source).rows == 1


def test_without_ids_a_query_is_imported_like_a_file(store: Store, shop: Shop) -> None:
    """With --add, the same rows are added once; what needs ids is refused."""
    shop.put(1, "first")
    shop.put(2, "first")
    dataset = register(store, flats_spec(row_id=""))
    source = SourceSpec(url="SHOP", query="SELECT city, rent, good FROM flats ORDER BY id")
    assert imported(store, dataset, shop, source).counts == RowCounts(added=2, records=1)
    assert imported(store, dataset, shop, source).counts == RowCounts(unchanged=2)
    for option, name in (
        ({"since_column": "city"}, "since-column"),
        (
            {"remove_missing": True},
            "remove-missing",
        ),
    ):
        with pytest.raises(ExchangeError, match=f"has no id, which --{name} needs"):
            imported(store, dataset, shop, structs.replace(source, **option))


def test_a_file_removes_missing_rows_unless_some_cannot_be_read(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """A row that cannot be read may be any row."""
    path = tmp_path / "flats.csv"
    path.write_text("id,city,rent,good\n1,a,1,yes\n2,b,2,no\n3,c,3,no\n", "utf-8")
    import_files(store, flats, [path], remove_missing=True)
    path.write_text("id,city,rent,good\n1,a,1,yes\n2,b,2,no,more,cells\n", "utf-8")
    result = import_files(store, flats, [path], remove_missing=True)
    assert (result.bad, result.counts.removed) == (1, 0)
    assert "no row was removed, because the ids of 1 bad rows" in result.notes[-1]
    path.write_text("id,city,rent,good\n1,a,1,yes\n2,b,dear,no\n", "utf-8")
    assert import_files(store, flats, [path], remove_missing=True).counts.removed == 1
    assert cities(store, flats) == {"1": "a", "2": "b"}
    path.write_text("id,city,rent,good\n", "utf-8")
    with pytest.raises(DataFileError, match="no row was removed"):
        import_files(store, flats, [path], remove_missing=True)


def test_a_missing_or_read_only_sqlite_file_stays_as_it_is(
    store: Store, flats: Dataset, tmp_path: Path
) -> None:
    """A file whose name has the signs of URLs is found."""
    missing = tmp_path / "missing.db"
    with pytest.raises(ExchangeError, match="there is no such file"):
        imported(store, flats, Shop(f"sqlite:///{missing}"))
    assert not missing.exists()
    odd = tmp_path / "a b#é.db"
    with closing(sqlite3.connect(odd)) as connection:
        connection.execute("CREATE TABLE flats (id, city, rent, good, changed)")
        connection.execute("INSERT INTO flats VALUES (1, 'a', '2.5', 'yes', '2025-01-01')")
        connection.commit()
    odd.chmod(0o444)
    before = odd.read_bytes(), sorted(tmp_path.iterdir())
    assert imported(store, flats, Shop(f"sqlite:///{odd}")).counts.added == 1
    assert (odd.read_bytes(), sorted(tmp_path.iterdir())) == before
