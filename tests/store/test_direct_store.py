"""Tests of the store through its driver alone, as a web process has it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.errors import StoreError
from db.store.direct.connection import DirectConnection
from db.store.direct.direct_store import DirectStore, open_direct_store
from db.store.direct.errors import DriverError, ValuesRefused, is_transient
from db.store.direct.statement import Statement
from db.store.generation import raise_generation, read_generation
from db.store.limits import command_limits
from db.store.store import Store, error_reason
from serve.store_reader import StoreReader
from tests.conftest import make_store, settings_for
from tests.direct import direct_store
from tests.ports import free_port
from tests.processes import PATIENCE_SECONDS, wait_for

from .test_upgrade import set_version

ADD_DATASET = Statement("INSERT INTO {schema}dataset (name, spec) VALUES ({}, '')")


def generation(store: Store | DirectStore) -> int:
    """Return the generation of a store."""
    with store.reading() as connection:
        return read_generation(connection)


def test_what_is_written_together_is_kept_together(store: Store) -> None:
    """An error in the middle of a transaction leaves nothing of it."""
    direct, before = direct_store(store), generation(store)
    direct.write(raise_generation)
    assert generation(store) == generation(direct) == before + 1

    def fail(connection: DirectConnection) -> None:
        raise_generation(connection)
        raise KeyError

    with pytest.raises(KeyError):
        direct.write(fail)
    assert generation(store) == before + 1
    direct.write(raise_generation)
    assert generation(store) == before + 2


def test_a_transaction_that_was_not_rolled_back_is_part_of_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is closed instead."""
    direct, before = direct_store(store), generation(store)
    run = DirectConnection.run

    def fail(connection: DirectConnection, sql: str, *more: object) -> int:
        if sql in {"COMMIT", "ROLLBACK"}:
            with connection.driver_errors():
                raise connection.dialect.driver.OperationalError
        return run(connection, sql, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(DirectConnection, "run", fail)
        with pytest.raises(DriverError):
            direct.write(raise_generation)
    direct.write(raise_generation)
    assert generation(store) == before + 1


def test_a_transaction_is_repeated_if_another_one_made_the_store_end_it(store: Store) -> None:
    """A deadlock, or on SQLite a lock that another process holds."""
    direct, before = direct_store(store), generation(store)
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    errors = [busy, psycopg.errors.DeadlockDetected()]
    assert all(map(is_transient, errors))

    def write(connection: DirectConnection) -> None:
        raise_generation(connection)
        if errors:
            raise DriverError(errors.pop())

    direct.write(write)
    assert generation(store) == before + 1


def test_values_at_fault_are_told_from_a_store_at_fault(store: Store) -> None:
    """Values that are refused once are refused again, and must not hold up others."""
    direct = direct_store(store)
    with direct.reading() as connection:
        ADD_DATASET.run(connection, "notes")
        with pytest.raises(ValuesRefused):
            ADD_DATASET.run(connection, "notes")
        with pytest.raises(DriverError) as raised:
            connection.rows("SELECT 1 FROM no_table")
    assert not isinstance(raised.value, ValuesRefused)


def test_a_bound_query_fails_as_its_connection_does(store: Store) -> None:
    """Workers and commands handle the errors of SQLAlchemy, and web processes those of drivers."""
    find = Statement("SELECT name FROM {schema}no_table WHERE name = {}")
    with direct_store(store).reading() as connection, pytest.raises(DriverError):
        find.bind(connection)("notes")
    with store.reading() as of_sqlalchemy, pytest.raises(DBAPIError):
        find.bind_all(of_sqlalchemy)("notes")


def test_an_older_store_is_refused_and_a_newer_one_that_works_is_opened(
    store: Store, database_url: str
) -> None:
    """The reason is the one that commands give."""
    settings = settings_for(database_url)
    set_version(store, "9000")
    open_direct_store(settings, 1).close()
    set_version(store, "9000", "9000")
    with pytest.raises(StoreError, match="needs code of version 9000 or newer"):
        open_direct_store(settings, 1)
    set_version(store, "0008")
    with pytest.raises(StoreError, match="too old for this code; run: python -m db upgrade"):
        open_direct_store(settings, 1)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A file without tables would look like a store that has lost everything."""
    file = tmp_path / "missing.db"
    with pytest.raises(StoreError, match="does not exist; run: python -m db upgrade"):
        open_direct_store(settings_for(f"sqlite:///{file}"), 1)
    assert not file.exists()
    url = f"postgresql://u@127.0.0.1:{free_port()}/d"
    with pytest.raises(StoreError, match="check that the server is running"):
        open_direct_store(settings_for(url, STORE_CONNECT_SECONDS="0.5"), 1)


def test_the_options_and_the_spelling_of_an_address_are_those_of_commands(tmp_path: Path) -> None:
    """SQLAlchemy reads %20 as a space, and options of the driver after a question mark."""
    address = f"sqlite:///{tmp_path}/my%20store.db?cached_statements=7"
    store = make_store(address)
    assert (tmp_path / "my store.db").exists()
    direct = open_direct_store(settings_for(address), 1)
    direct.write(raise_generation)
    assert generation(direct) == generation(store)
    direct.close()
    store.close()


def test_a_connection_that_another_thread_waits_on_is_left_to_it(sqlite_url: str) -> None:
    """A process that ends gives up waiting for its threads; closing it would crash the process."""
    store = make_store(sqlite_url)
    direct = direct_store(store)
    outcome: list[str] = []

    def write() -> None:
        direct.write(raise_generation)
        outcome.append("written")

    with store.writing():
        thread = threading.Thread(target=write)
        thread.start()
        wait_for(lambda: len(direct._connections) == 1)
        direct.close()
    thread.join(PATIENCE_SECONDS)
    assert outcome == ["written"]
    store.close()


def test_a_web_process_whose_connection_is_cut_uses_no_other_of_its_time(
    postgres: Callable[[], str],
) -> None:
    """After a failover each thread would otherwise wait for its own connection to fail."""
    store = make_store(postgres())
    direct = direct_store(store)
    reader = StoreReader(direct)
    assert reader.poll_generation() == generation(store)
    before = direct.sessions.epoch
    direct.connection().driver.pgconn.finish()
    assert reader.poll_generation() == generation(store)
    with store.reading() as connection:
        pid = direct.connection().driver.info.backend_pid
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    assert reader.poll_generation() == generation(store)
    assert direct.sessions.epoch > before
    assert reader.is_up
    reader.close()
    store.close()


def test_no_message_has_the_secrets_of_an_address_that_sqlalchemy_never_saw() -> None:
    """A web process may have opened the store by its driver alone when it fails."""
    settings = settings_for("postgresql://u:s3cret-word@h/d")
    store = DirectStore(settings, 1, "veilleuse", 256, command_limits(settings))
    assert error_reason(DriverError(Exception("cannot use s3cret-word"))) == "cannot use ***"
    store.close()
