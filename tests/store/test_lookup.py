"""Tests of the `sql` enricher: look-ups in a user's table in the same database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.errors import EnricherError
from db.exchange.limited_reading import limited_reading
from db.exchange.user_database import open_database
from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.quarantine import list_quarantine
from db.records.dataset import Dataset
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.enrichers.sql import Sql
from enrich.executors.base import Stopped
from enrich.executors.local import LocalExecutor
from enrich.worker.worker import working
from tests.conftest import Done, register
from tests.inline import enrich_now

CITIES = ("Lille", "Lyon", "Nowhere")
LENGTH = EnricherSpec(use="tests.store.sample_enrichers.Length", reads=("sentence",))
TOWNS = """
    CREATE TABLE towns (
        name TEXT, region TEXT, population INTEGER,
        area DECIMAL(8, 2), founded DATE, coastal BOOLEAN
    )
"""
ROWS = """
    INSERT INTO towns VALUES
        ('Lille', 'Nord', 236000, 34.51, '1054-01-02', FALSE),
        ('Lyon', 'Rhône', 522000, NULL, NULL, FALSE),
        ('Nice', 'Var', 1, 1.5, '2000-02-29', TRUE),
        ('Nice', 'Alpes', 2, 2.5, NULL, TRUE)
"""


@pytest.fixture(autouse=True)
def towns(store: Store) -> None:
    """Create a user's table of towns, which contains Nice twice."""
    with store.writing() as connection:
        connection.execute(text(TOWNS))
        connection.execute(text(ROWS))


def look_up(columns: list[str], **config: Any) -> EnricherSpec:  # noqa: ANN401
    """Return an enricher that looks a city up."""
    config = {"table": "towns", "match": {"city": "name"}, "columns": columns, **config}
    return EnricherSpec(use="sql", config=config)


def trips(name: str = "trips", **enrichers: EnricherSpec) -> DatasetSpec:
    """Return a spec of sentences about cities."""
    return DatasetSpec(
        name=name,
        kind="classification",
        target="tone",
        fields={"sentence": TextField(), "city": TextField()},
        enrichers={"length": LENGTH, **enrichers},
    )


def load(store: Store, spec: DatasetSpec, *more: str) -> Dataset:
    """Put a dataset with a record for each city into the store."""
    found = register(store, spec)
    raw = [{"sentence": f"à {city}", "city": city} for city in (*CITIES, *more)]
    rows = [NewRow(spec.key(inputs), spec.read_inputs(inputs)) for inputs in raw]
    with store.writing() as connection:
        add_rows(connection, found, rows, "import")
    return found


def values(store: Store, dataset: Dataset, enricher: str) -> dict[str, Any]:
    """Return the enricher's stored values by city."""
    return {
        row["inputs"]["city"]: row["enrichments"][enricher]
        for row in export_rows(store, dataset)
        if enricher in row["enrichments"]
    }


def test_one_column_gives_its_value_and_no_match_gives_null(
    store: Store, settings: Settings
) -> None:
    """Null is a value, so the record is not looked up again."""
    found = load(store, trips(people=look_up(["population"])))
    enrich_now(store, settings)
    assert values(store, found, "people") == {"Lille": 236000, "Lyon": 522000, "Nowhere": None}
    assert enrich_now(store, settings) == 0


def test_several_columns_give_an_object(store: Store, settings: Settings) -> None:
    """A record without a match still gets null."""
    found = load(store, trips(town=look_up(["region", "population"])))
    enrich_now(store, settings)
    assert values(store, found, "town") == {
        "Lille": {"region": "Nord", "population": 236000},
        "Lyon": {"region": "Rhône", "population": 522000},
        "Nowhere": None,
    }


def test_several_fields_may_have_to_match(store: Store, settings: Settings) -> None:
    """The table contains Nice twice, in different regions."""
    spec = trips(people=look_up(["population"], match={"city": "name", "sentence": "region"}))
    found = register(store, spec)
    raw = [{"sentence": region, "city": "Nice"} for region in ("Var", "Alpes", "Nord")]
    with store.writing() as connection:
        rows = [NewRow(spec.key(inputs), spec.read_inputs(inputs)) for inputs in raw]
        add_rows(connection, found, rows, "import")
    enrich_now(store, settings)
    rows_made = export_rows(store, found)
    made = {row["inputs"]["sentence"]: row["enrichments"]["people"] for row in rows_made}
    assert made == {"Var": 1, "Alpes": 2, "Nord": None}


def test_decimals_become_numbers_and_dates_text(store: Store, settings: Settings) -> None:
    """JSON has neither decimals nor dates; null stays null."""
    found = load(store, trips(town=look_up(["area", "founded", "coastal"])))
    enrich_now(store, settings)
    made = values(store, found, "town")
    assert made["Lille"] == {"area": 34.51, "founded": "1054-01-02", "coastal": False}
    assert made["Lyon"] == {"area": None, "founded": None, "coastal": False}


def test_two_rows_that_match_are_an_error_and_no_record_is_quarantined(
    store: Store, command: Callable[..., Done]
) -> None:
    """The error names the table and the value; the other enrichers' values are written."""
    found = load(store, trips(people=look_up(["population"])), "Nice")
    done = command("enrich", "once")
    assert_failed(store, done, "people: config.match: towns has several rows for ('Nice',)")
    assert len(values(store, found, "length")) == 4


def assert_failed(store: Store, done: Done, words: str) -> None:
    """Check that a command failed with a one-line message and quarantined no record."""
    assert done.code == 1
    assert words in done.err
    errors = [line for line in done.err.splitlines() if not line.startswith("enrich: ")]
    assert len(errors) == 1, done.err
    with store.reading() as connection:
        assert list_quarantine(connection) == []


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"table": "villages"}, "villages"),
        ({"columns": ["inhabitants"]}, "inhabitants"),
        ({"columns": ["Inhabitants"]}, "Inhabitants"),
        ({"match": {"city": "title"}}, "title"),
        ({"match": {"city": "Title"}}, "Title"),
        ({"match": {"town": "name"}}, "town is not read"),
    ],
    ids=["table", "column", "column in capitals", "match", "match in capitals", "field"],
)
def test_the_error_names_what_is_missing_and_no_record_is_quarantined(
    store: Store, command: Callable[..., Done], config: dict[str, Any], named: str
) -> None:
    """It may be a table, a column in lower or upper case, or a field."""
    found = load(store, trips(people=look_up(**{"columns": ["population"], **config})))
    assert_failed(store, command("enrich", "once"), named)
    assert values(store, found, "people") == {}


def test_a_column_of_another_type_is_reported(store: Store, settings: Settings) -> None:
    """PostgreSQL refuses the comparison; SQLite converts a text to the number that it spells."""
    load(store, trips(people=look_up(["region"], match={"city": "population"})))
    errors: list[str] = []
    with working(store, settings, threading.Event(), LocalExecutor()) as worker:
        worker.enrich(on_error=lambda _, error: errors.append(str(error)))
    is_sqlite = store.writer.dialect.name == "sqlite"
    assert [error.partition(":")[0] for error in errors] == ([] if is_sqlite else ["people"])


@pytest.fixture
def slow(store: Store) -> None:
    """Create a view that takes minutes to read."""
    rows = "SELECT i + 1 FROM n WHERE i < 100000000000"
    with store.writing() as connection:
        connection.execute(
            text(
                f"CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL {rows})"  # noqa: S608
                " SELECT 'Lille' AS name, count(*) AS population FROM n"
            )
        )


@pytest.mark.usefixtures("slow")
def test_a_look_up_that_takes_too_long_is_ended_and_blames_no_record(
    store: Store, command: Callable[..., Done]
) -> None:
    """The reason says what to do; the other enrichers' values are written."""
    found = load(store, trips(people=look_up(["population"], table="slow", timeout_seconds=0.5)))
    done = command("enrich", "once")
    assert_failed(store, done, "people: a look-up in slow took longer than 0.5 s; give its column")
    assert len(values(store, found, "length")) == len(CITIES)


@pytest.mark.usefixtures("slow")
def test_a_worker_that_is_stopped_ends_a_look_up_at_once(store: Store, settings: Settings) -> None:
    """It runs in the compute child, which is stopped and ended as for other enrichers."""
    load(store, trips(people=look_up(["population"], table="slow", timeout_seconds=60)))
    stop = threading.Event()
    timer = threading.Timer(3, stop.set)
    timer.start()
    with (
        working(store, settings, stop, LocalExecutor(stop.is_set)) as worker,
        pytest.raises(Stopped),
    ):
        worker.enrich()
    timer.join()


def test_a_look_up_can_only_read(store: Store, settings: Settings) -> None:
    """Neither a table nor a table of the database itself is reached otherwise."""
    statements = [
        "INSERT INTO towns (name) VALUES ('Rome')",
        "UPDATE towns SET population = 0",
        "DROP TABLE towns",
    ]
    if store.is_local:
        statements += ["SELECT sql FROM sqlite_master", "PRAGMA table_list", "ATTACH 'x' AS y"]
    for statement in statements:
        with (
            open_database(settings.database_url, read_only=True) as database,
            limited_reading(database, 30) as connection,
            pytest.raises(DBAPIError),
        ):
            connection.execute(text(statement))
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM towns")).scalar_one() == 4


@pytest.mark.parametrize("table", ["pg_authid", "PG_STAT_ACTIVITY", "sqlite_master", "pragma_x"])
def test_tables_of_the_database_itself_are_refused_at_once(table: str) -> None:
    """They list users, queries and other tables."""
    with pytest.raises(EnricherError, match="is a table of the database itself"):
        Sql(table, {"city": "name"}, ["population"])


@pytest.mark.parametrize("table", ["record", "response", "RECORD", "alembic_version"])
def test_tables_of_veilleuse_are_refused_at_once(table: str) -> None:
    """Upper case is refused as well, because SQLite ignores the case of table names."""
    with pytest.raises(EnricherError, match=r"config\.table: .* is a table of Veilleuse"):
        Sql(table, {"city": "name"}, ["population"])


def test_a_refused_configuration_does_not_block_other_datasets(
    store: Store, settings: Settings
) -> None:
    """Its error is reported; its other enrichers and the other datasets are enriched."""
    wrong = load(store, trips("wrong", zone=look_up(["label"], table="record")))
    right = load(store, trips("yonder", people=look_up(["population"])))
    errors: list[str] = []
    with working(store, settings, threading.Event(), LocalExecutor()) as worker:
        worker.enrich(on_error=lambda name, error: errors.append(f"{name}: {error}"))
    assert ["record is a table of Veilleuse" in error for error in errors] == [True]
    assert len(values(store, wrong, "length")) == 3
    assert len(values(store, right, "people")) == 3


def test_a_table_that_has_changed_is_read_again_when_its_edition_changes(
    store: Store, settings: Settings
) -> None:
    """Until then the old values stay, because the table is not watched."""
    found = load(store, trips(people=look_up(["population"], edition="2025")))
    enrich_now(store, settings)
    with store.writing() as connection:
        connection.execute(text("UPDATE towns SET population = 237000 WHERE name = 'Lille'"))
    enrich_now(store, settings)
    assert values(store, found, "people")["Lille"] == 236000
    register(store, trips(people=look_up(["population"], edition="2026")))
    enrich_now(store, settings)
    assert values(store, found, "people")["Lille"] == 237000


def test_many_records_are_looked_up_in_several_statements(store: Store, settings: Settings) -> None:
    """Each record gets its own value."""
    with store.writing() as connection:
        for number in range(450):
            connection.execute(
                text("INSERT INTO towns (name, population) VALUES (:name, :people)"),
                {"name": f"Ville {number}", "people": number},
            )
    more = [f"Ville {number}" for number in range(0, 900, 2)]
    found = load(store, trips(people=look_up(["population"])), *more)
    enrich_now(store, settings)
    made = values(store, found, "people")
    assert all(made[f"Ville {n}"] == (n if n < 450 else None) for n in range(0, 900, 2))


@pytest.mark.parametrize("size", [2**63, 10**20, -(10**300)])
def test_a_number_too_large_for_a_column_of_integers_is_the_fault_of_no_look_up(
    store: Store, size: int
) -> None:
    """A service may have answered with it; the others must still get their values."""
    towns = Sql("towns", {"size": "population"}, ["name"])
    with store.reading() as connection:
        found = towns.look_up(connection, [{"size": size}, {"size": 522000}])
    assert found == [None, "Lyon"]
