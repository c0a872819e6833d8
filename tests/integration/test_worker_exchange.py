"""A worker imports rows from a user's database and publishes predictions to it, by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from db.queue.failed_run import failed_runs
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField
from db.spec.section import PublicationSpec, SourceSpec
from db.store.store import Store
from tests.conftest import register, run_command
from tests.extent import on_store
from tests.processes import wait_for

from .test_worker import worker_running

ROWS = 60
SPEC = DatasetSpec(
    name="rents",
    kind="regression",
    target="rent",
    id="flat",
    fields={"area": NumberField()},
    source=SourceSpec(url="SHOP_URL", query="SELECT * FROM flats"),
    publish=PublicationSpec(url="SHOP_URL", table="rent_scores"),
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return an SQLite database with a table of flats."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE flats (flat INTEGER PRIMARY KEY, area REAL, rent REAL)")
        connection.executemany(
            "INSERT INTO flats VALUES (?, ?, ?)",
            [(number, 20.0 + number, 12 * (20.0 + number)) for number in range(ROWS)],
        )
    return path


def scores(shop: Path) -> list[tuple[str, str]]:
    """Return the id and the model of each published row; none if there is no table yet."""
    with closing(sqlite3.connect(shop)) as connection:
        try:
            return connection.execute("SELECT id, model FROM rent_scores").fetchall()
        except sqlite3.OperationalError:
            return []


@pytest.mark.slow
@on_store("postgresql")
def test_a_worker_imports_trains_and_publishes_without_further_commands(
    store: Store, database_url: str, shop: Path
) -> None:
    """The dataset's file alone says where the rows are and where the predictions go."""
    register(store, SPEC)
    with worker_running(database_url, SHOP_URL=f"sqlite:///{shop}"):
        wait_for(lambda: len(scores(shop)) == ROWS)
    assert set(scores(shop)) == {(str(number), "rents@1") for number in range(ROWS)}


@pytest.mark.slow
def test_a_worker_reports_a_database_that_it_cannot_read(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """The failed run is in the store, and no empty file was created."""
    register(store, msgspec.structs.replace(SPEC, publish=None))
    missing = tmp_path / "none.db"

    def has_failed() -> bool:
        with store.reading() as connection:
            return [run.command for run in failed_runs(connection, 5)] == ["import"]

    with worker_running(database_url, SHOP_URL=f"sqlite:///{missing}"):
        wait_for(has_failed)
    assert not missing.exists()


@pytest.mark.parametrize(("command", "section"), [("import", "source"), ("publish", "publish")])
def test_the_workers_commands_say_which_section_is_missing(
    sqlite_url: str, store: Store, command: str, section: str
) -> None:
    """Both commands of `enrich` read nothing but the spec."""
    del store
    run_command(sqlite_url, "db", "upgrade")
    run_command(sqlite_url, "db", "load", "datasets/customers.toml")
    done = run_command(sqlite_url, "enrich", command, "customers")
    assert done.code == 1
    assert f"customers: its TOML file has no [{section}]" in done.err
