"""Imports of queries that are interrupted, or that run beside others, lose nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec import structs
from sqlalchemy import select

from db.errors import ImportRunning
from db.exchange.incremental_import import import_from_source
from db.files.exporter import export_rows
from db.files.importer import ImportResult, import_files, import_sources
from db.ingestion.row import RowCounts
from db.records.dataset import Dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import SourceSpec
from db.store import tables
from db.store.dialect import import_lock
from db.store.store import Store
from tests.conftest import ROOT, command_environment, register, run_command
from tests.processes import wait_for

SOURCE = SourceSpec(
    url="SHOP", query="SELECT * FROM flats", since_column="changed", remove_missing=True
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a user's database with a table of flats, whose ids differ in case."""
    connection = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    connection.execute("CREATE TABLE flats (id TEXT COLLATE NOCASE, city, good, changed)")
    yield connection
    connection.close()


@pytest.fixture
def flats(store: Store) -> Dataset:
    """Return a dataset of flats with ids."""
    return register(store, flats_spec())


def flats_spec(kind: Literal["classification", "regression"] = "classification") -> DatasetSpec:
    """Return the spec of flats."""
    return DatasetSpec(
        name="flats",
        kind=kind,
        target="good",
        id="id",
        fields={"city": TextField()},
        source=SOURCE,
    )


def put(shop: sqlite3.Connection, row_id: str, city: str, good: object, day: int = 1) -> None:
    """Add a row, or replace it."""
    shop.execute("DELETE FROM flats WHERE id = ? COLLATE BINARY", (row_id,))
    values = (row_id, city, good, f"2025-01-{day:02} 00:00:00")
    shop.execute("INSERT INTO flats VALUES (?, ?, ?, ?)", values)


def imported(
    store: Store,
    dataset: Dataset,
    path: Path,
    source: SourceSpec = SOURCE,
    **options: Any,  # noqa: ANN401
) -> ImportResult:
    """Import the flats of a folder's database."""
    environment = {"SHOP": f"sqlite:///{path / 'shop.db'}"}
    return import_from_source(store, dataset, source, environment, **options)


def labels(store: Store, dataset: Dataset) -> dict[str, object]:
    """Return the label of each city's record."""
    return {row["inputs"]["city"]: row["label"] for row in export_rows(store, dataset)}


def ids(store: Store, dataset: Dataset) -> list[str]:
    """Return the ids of all rows."""
    rows = [row for record in export_rows(store, dataset) for row in record["observations"]]
    return sorted(row["id"] for row in rows)


def interrupt(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Let a function fail as if the process were interrupted there."""

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, fail)


def interrupted(
    monkeypatch: pytest.MonkeyPatch, store: Store, dataset: Dataset, path: Path
) -> None:
    """Import, and stop before the records are settled."""
    with monkeypatch.context() as patched:
        interrupt(patched, "db.files.importer._settle")
        with pytest.raises(KeyboardInterrupt):
            imported(store, dataset, path)


def test_labels_are_right_after_an_interrupted_import_is_repeated(
    store: Store,
    flats: Dataset,
    shop: sqlite3.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next run finds corrected, moved and removed rows as it left them."""
    for row_id, city, good in (
        ("1", "corrected", "yes"),
        ("2", "left", "no"),
        ("3", "left", "no"),
        ("4", "left", "yes"),
        ("5", "removed", "no"),
        ("6", "removed", "no"),
        ("7", "removed", "yes"),
        ("8", "joined", "yes"),
    ):
        put(shop, row_id, city, good)
    # The repeated import does not read the rows of the first day again.
    put(shop, "9", "newest", "yes", 5)
    imported(store, flats, tmp_path)
    assert labels(store, flats)["left"] == "no"
    put(shop, "1", "corrected", "no", 6)
    put(shop, "2", "elsewhere", "no", 6)
    put(shop, "3", "elsewhere", "no", 6)
    shop.execute("DELETE FROM flats WHERE id IN ('5', '6')")
    put(shop, "a", "joined", "no", 6)
    put(shop, "b", "joined", "no", 6)
    interrupted(monkeypatch, store, flats, tmp_path)
    imported(store, flats, tmp_path)
    assert labels(store, flats) == {
        "corrected": "no",
        "left": "yes",
        "elsewhere": "no",
        "removed": "yes",
        "joined": "no",
        "newest": "yes",
    }


def test_means_are_right_after_an_interrupted_import_is_repeated(
    store: Store, shop: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a batch adds to a record that an earlier batch of the same import made."""
    monkeypatch.setattr("db.files.importing.new_rows.BATCH_ROWS", 2)
    dataset = register(store, flats_spec("regression"))
    for at, good in enumerate((1, 5, 3, 11)):
        put(shop, str(at), "same", good)
    interrupted(monkeypatch, store, dataset, tmp_path)
    assert imported(store, dataset, tmp_path).counts == RowCounts(unchanged=4)
    assert labels(store, dataset) == {"same": 5}
    put(shop, "0", "same", 5, 2)
    interrupted(monkeypatch, store, dataset, tmp_path)
    imported(store, dataset, tmp_path)
    assert labels(store, dataset) == {"same": 6}


def test_a_row_that_came_after_the_source_was_read_stays(
    store: Store,
    flats: Dataset,
    shop: sqlite3.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another import, of a file, may write it before this one removes missing rows."""
    put(shop, "1", "a", "yes")
    path = tmp_path / "later.csv"
    path.write_text("id,city,good\n2,b,no\n", "utf-8")

    def import_late(*arguments: Any, **options: Any) -> ImportResult:  # noqa: ANN401
        import_files(store, flats, [path])
        return import_sources(*arguments, **options)

    monkeypatch.setattr("db.exchange.incremental_import.import_sources", import_late)
    assert imported(store, flats, tmp_path).counts.removed == 0
    assert ids(store, flats) == ["1", "2"]


def test_a_second_import_at_the_same_time_is_refused_and_a_worker_waits_for_its_turn(
    store: Store, database_url: str, flats: Dataset, shop: sqlite3.Connection, tmp_path: Path
) -> None:
    """The one that read first could write its older rows last."""
    put(shop, "1", "a", "yes")
    environment = {"SHOP": f"sqlite:///{tmp_path / 'shop.db'}"}
    with import_lock(store.reader, flats.id) as is_free:
        assert is_free
        with pytest.raises(ImportRunning, match="another import from its database is running"):
            imported(store, flats, tmp_path)
        done = run_command(database_url, "enrich", "import", "flats", **environment)
        assert (done.code, done.out) == (0, "flats: another import is running\n"), done.err
        with import_lock(store.reader, flats.id + 1) as is_other_free:
            assert is_other_free
    assert imported(store, flats, tmp_path).counts.added == 1


def test_the_lock_of_an_import_ends_with_its_process(
    store: Store, database_url: str, flats: Dataset
) -> None:
    """However it dies."""
    code = (
        "import sys; from tests.conftest import settings_for; from db.store.dialect import *;"
        "from db.store.store import connect_store; lock = import_lock(connect_store("
        f"settings_for({database_url!r})).reader, {flats.id}); print(lock.__enter__(), flush=True);"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=command_environment(database_url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with import_lock(store.reader, flats.id) as is_free:
            assert not is_free
        holder.kill()
        holder.wait()
    wait_for(lambda: is_lock_free(store, flats))


def is_lock_free(store: Store, dataset: Dataset) -> bool:
    """Return whether an import could begin."""
    with import_lock(store.reader, dataset.id) as is_free:
        return is_free


def test_the_source_is_read_without_interruption(
    store: Store, flats: Dataset, shop: sqlite3.Connection, tmp_path: Path
) -> None:
    """A reader that is stopped would lock the user's database; the store is written after that."""
    put(shop, "1", "a", "yes")
    seen = []

    @contextmanager
    def uninterrupted() -> Iterator[None]:
        seen.append(ids(store, flats))
        yield
        seen.append(ids(store, flats))
        shop.execute("BEGIN EXCLUSIVE")
        shop.execute("COMMIT")

    imported(store, flats, tmp_path, uninterrupted=uninterrupted)
    assert seen == [[], []]
    assert ids(store, flats) == ["1"]


def test_ids_that_differ_in_case_are_different_rows(
    store: Store, flats: Dataset, shop: sqlite3.Connection, tmp_path: Path
) -> None:
    """Also where the column compares them without their case."""
    for row_id, city, day in (("a", "x", 1), ("A", "y", 1), ("b", "z", 2)):
        put(shop, row_id, city, "yes", day)
    for _ in range(2):
        assert imported(store, flats, tmp_path).counts.removed == 0
    assert ids(store, flats) == ["A", "a", "b"]


@pytest.mark.parametrize("read_all", [False, True])
def test_a_row_whose_id_cannot_be_read_may_be_any_row(
    store: Store, flats: Dataset, shop: sqlite3.Connection, tmp_path: Path, *, read_all: bool
) -> None:
    """Its earlier row is not removed."""
    for row_id, day in (("1", 1), ("2", 1), ("3", 2)):
        put(shop, row_id, f"city {row_id}", "yes", day)
    imported(store, flats, tmp_path)
    shop.execute("UPDATE flats SET id = '' WHERE id = '2'")
    result = imported(store, flats, tmp_path, read_all=read_all)
    assert result.counts.removed == 0
    assert "the ids of 1 bad rows cannot be read" in result.notes[0]
    assert ids(store, flats) == ["1", "2", "3"]


def test_a_query_without_rows_is_named(
    store: Store, flats: Dataset, shop: sqlite3.Connection, tmp_path: Path
) -> None:
    """The first import only: later there may be nothing new."""
    source = structs.replace(SOURCE, remove_missing=False)
    assert imported(store, flats, tmp_path, source).notes == ["the query returned no row"]
    put(shop, "1", "a", "yes")
    ended = structs.replace(source, query="SELECT * FROM flats; -- all")
    for _ in range(2):
        assert imported(store, flats, tmp_path, ended).notes == []
    with store.reading() as connection:
        assert len(connection.execute(select(tables.import_position)).all()) == 1
