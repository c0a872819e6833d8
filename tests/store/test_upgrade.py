"""Tests of the migrations and of the check of the schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command as alembic
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text, update

from db import migrations
from db.errors import StoreError
from db.migrations import upgrade
from db.queue.quarantine import list_quarantine
from db.records.observation import count_labels
from db.store.direct.statement import schema_of
from db.store.schema import set_schema
from db.store.schema_version import schema_version
from db.store.store import Store, check_schema, connect_store
from db.store.tables import SCHEMA, metadata, observation, record, version
from tests.conftest import Done, register, sample_spec, settings_for

_INSERT_RECORD = (
    "INSERT INTO record (dataset_id, key, inputs, label, origin, asked, made_at)"
    " VALUES (:of, :key, '{}', :label, :origin, false, 5)"
)
_UNLABELLED = {"label": None, "origin": "import"}


def store_at(database_url: str, version: str) -> Store:
    """Return an empty store whose tables are at a version."""
    store = connect_store(settings_for(database_url))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["version_table"] = "alembic_version"
    with store.writing() as connection:
        if connection.dialect.name == "postgresql":
            set_schema(connection, "public")
        config.attributes["connection"] = connection
        alembic.upgrade(config, version)
    # The next connection finds the tables, as that of a new process does.
    store.close()
    return store


def is_of_migrations(name: str | None, kind: str, _parents: object) -> bool:
    """Return whether a table is one that migrations make, not one of the version."""
    return kind != "table" or name not in {"alembic_version", version.name}


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_upgrade_creates_the_tables_that_the_code_declares(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a table changed without a migration would fail only at a user's site."""
    with store.writing() as connection:
        if (schema := schema_of(connection)) is not None:
            connection.execute(text(f"SET LOCAL search_path TO {schema}"))
            monkeypatch.setattr(connection.dialect, "default_schema_name", schema)
        options = {"compare_type": True, "include_name": is_of_migrations}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_upgrade_twice_changes_nothing(store: Store) -> None:
    """Every deployment runs `upgrade`."""
    assert upgrade(store) == SCHEMA
    assert upgrade(store) == SCHEMA


def test_quarantined_records_stay_quarantined_after_an_upgrade(database_url: str) -> None:
    """SQLite cannot change a key, so the migration creates the table again."""
    store = store_at(database_url, "0002")
    found = register(store, sample_spec("intents"))
    with store.writing() as connection:
        connection.execute(text(_INSERT_RECORD), {"of": found.id, "key": b"a" * 16} | _UNLABELLED)
        connection.execute(
            text(
                "INSERT INTO quarantine"
                " (record_id, dataset_id, revision, enricher, reason, made_at)"
                " SELECT id, dataset_id, 1, 'embedding', 'it bites', 5 FROM record"
            )
        )
    upgrade(store)
    with store.reading() as connection:
        (failure,) = list_quarantine(connection)
        assert (failure.enricher, failure.reason, failure.made_at) == ("embedding", "it bites", 5)
    store.close()


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_records_from_before_an_upgrade_are_listed_after_it(database_url: str, kind: str) -> None:
    """The migration fills the listing columns from the stored values."""
    store = store_at(database_url, "0004")
    found = register(store, sample_spec({"classification": "intents"}.get(kind, "customers")))
    body = {
        "classification": b'{"prediction":"buy","probabilities":{"buy":0.6,"go":0.4}}',
        "regression": b'{"prediction":12.5}',
    }[kind]
    with store.writing() as connection:
        for key in (b"a" * 16, b"b" * 16):
            values = {"of": found.id, "key": key, "label": "12.0", "origin": "import"}
            connection.execute(text(_INSERT_RECORD), values)
        connection.execute(
            text("INSERT INTO prediction VALUES (:of, :key, :body, 'f', 0)"),
            {"of": found.id, "key": b"a" * 16, "body": body},
        )
        for name, value in (
            ("doubts", '{"issue":true,"quality":0.1,"suggested":"go"}'),
            ("twins", '{"group":"abc","size":2,"similarity":0.9}'),
            ("other", '{"group_of":1}'),
        ):
            connection.execute(
                text(
                    "INSERT INTO enrichment (record_id, enricher, fingerprint, value)"
                    " SELECT id, :name, 'f', :value FROM record WHERE key = :key"
                ),
                {"name": name, "value": value, "key": b"a" * 16},
            )
    upgrade(store)
    with store.reading() as connection:
        first, second = connection.execute(select(record).order_by(record.c.key)).all()
    prediction = ("buy", 0.6) if kind == "classification" else ("", 12.5)
    assert (first.answer, first.score, first.issue, first.duplicates) == (*prediction, True, "abc")
    assert (second.answer, second.score, second.issue, second.duplicates) == ("", None, None, None)
    store.close()


def test_each_imported_record_from_before_an_upgrade_is_one_observation(database_url: str) -> None:
    """A requested input is one only if it has a label."""
    store = store_at(database_url, "0005")
    found = register(store, sample_spec("customers"))
    rows = [("1.0", "import"), (None, "api"), (None, "request"), ("2.0", "request")]
    with store.writing() as connection:
        for at, (label, origin) in enumerate(rows):
            values = {"of": found.id, "key": bytes([at]) * 16, "label": label, "origin": origin}
            connection.execute(text(_INSERT_RECORD), values)
    upgrade(store)
    with store.reading() as connection:
        query = select(observation.c.label, observation.c.origin, observation.c.made_at)
        kept = connection.execute(query.order_by(observation.c.id)).all()
        labels = count_labels(connection, found.id)
    assert kept == [("1.0", "import", 5), (None, "api", 5), ("2.0", "import", 5)]
    assert labels == 2
    store.close()


def test_a_store_without_tables_names_the_command_that_creates_them(
    command: Callable[..., Done],
) -> None:
    """A newcomer may forget to create the tables."""
    done = command("db", "status")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "python -m db upgrade" in done.err


def set_version(store: Store, number: str, works_with: str | None = SCHEMA) -> None:
    """Write the version of a store's tables, and of the oldest code that works with them."""
    with store.writing() as connection:
        connection.execute(update(version).values(version_num=number, works_with=works_with))


def test_tables_of_a_newer_version_are_accepted(store: Store, database_url: str) -> None:
    """After a rollback, the previous code runs on the new tables."""
    set_version(store, "9999")
    other = connect_store(settings_for(database_url))
    check_schema(other)
    other.close()


@pytest.mark.parametrize("needed", ["9998", None])
def test_newer_tables_that_need_newer_code_are_refused(store: Store, needed: str | None) -> None:
    """A column may be renamed there; this code would fail later, or store what nobody reads."""
    set_version(store, "9999", needed)
    for work in (check_schema, upgrade):
        with pytest.raises(StoreError, match=r"version 9999, .* start the newer release again"):
            work(store)


def test_each_migration_says_which_code_works_with_it() -> None:
    """Since version 0008; a migration that does not say it would refuse a rollback."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config).walk_revisions("0008", "heads")
    assert all(script.module.works_with <= script.revision for script in scripts)


def test_an_upgrade_by_older_code_changes_nothing(
    store: Store, command: Callable[..., Done]
) -> None:
    """A deployment that is rolled back runs it too."""
    set_version(store, "9999")
    done = command("db", "upgrade")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1
    assert "version 9999, newer than this code's" in done.out
    with store.reading() as connection:
        assert schema_version(connection) == "9999"


def test_tables_of_an_older_version_are_refused(store: Store) -> None:
    """The error names the command that upgrades them."""
    set_version(store, "0000")
    with pytest.raises(StoreError, match="python -m db upgrade"):
        check_schema(store)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:secret@127.0.0.1:1/none",
        "postgresql://127.0.0.1:1/none?user=someone&password=secret&sslpassword=secret",
        "postgresql://someone@127.0.0.1:1,127.0.0.1:2/none?passfile=/secret",
    ],
)
def test_an_unreachable_store_is_reported_without_the_password(url: str) -> None:
    """Error messages end up in logs."""
    with pytest.raises(StoreError) as caught:
        check_schema(connect_store(settings_for(url)))
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
