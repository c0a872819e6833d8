"""Tests of migrations whose tables others have locked."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Connection, text

from db.errors import StoreError
from db.migrations import patient_transaction, upgrade
from db.migrations.patient_transaction import run_migration
from db.store.direct.statement import schema_of
from db.store.limits import Limits
from db.store.store import Store, connect_store
from tests.conftest import make_store, settings_for


@pytest.fixture
def url(postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty PostgreSQL database, on which migrations wait only briefly."""
    monkeypatch.setattr(patient_transaction, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(patient_transaction, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(patient_transaction, "TRIES", 3)
    return postgres()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Yield a store whose tables exist."""
    store = make_store(url)
    yield store
    store.close()


@pytest.fixture
def holder(url: str, store: Store) -> Iterator[psycopg.Connection]:
    """Yield a session that has read a table in a transaction and has not ended it."""
    with store.reading() as connection:
        schema = schema_of(connection)
    with psycopg.connect(url, application_name="a long report") as session:
        session.execute("SELECT set_config('search_path', %s, false)", (schema,))
        session.execute("SELECT 1 FROM record")
        yield session


def add_column(store: Store) -> None:
    """Change a table as a migration does."""

    def change(connection: Connection) -> None:
        schema = schema_of(connection)
        connection.execute(text(f"ALTER TABLE {schema}.record ADD COLUMN extra integer"))

    run_migration(store, change)


def test_a_migration_that_gets_no_lock_names_the_session_that_holds_it(
    store: Store, holder: psycopg.Connection
) -> None:
    """It does not wait on, since all statements on the table would wait behind it."""
    with pytest.raises(StoreError) as caught:
        add_column(store)
    pid = holder.info.backend_pid
    assert f"a long report (pid {pid}, idle in transaction" in str(caught.value)
    assert "holds record" in str(caught.value)
    assert f"pg_terminate_backend({pid})" in str(caught.value)


def test_a_migration_succeeds_once_the_lock_is_free(
    store: Store, holder: psycopg.Connection
) -> None:
    """It has not held others up for long meanwhile."""
    release = threading.Timer(0.2, holder.rollback)
    release.start()
    add_column(store)
    release.join()


def test_a_migration_may_take_longer_than_other_statements(store: Store) -> None:
    """An index of a large table takes its time."""

    def limits(connection: Connection) -> list[object]:
        driver = connection.connection.driver_connection
        assert driver is not None
        show = text("SELECT current_setting('statement_timeout')")
        return [driver.statement_seconds, connection.execute(show).scalar()]

    assert run_migration(store, limits) == [None, "0"]
    with store.writing() as connection:
        assert limits(connection) == [300.0, "270s"]


def test_a_locked_sqlite_store_is_reported_in_words(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not tell who holds its lock, and knows none of PostgreSQL's tables of locks."""
    monkeypatch.setattr(patient_transaction, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(patient_transaction, "TRIES", 2)
    make_store(sqlite_url).close()
    store = connect_store(settings_for(sqlite_url), limits=Limits(0.1, 0.1, 0.1))
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="other sessions kept the tables locked; run it again"):
            upgrade(store)
    finally:
        holder.close()
        store.close()
