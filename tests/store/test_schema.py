"""Tests of the schema of the tables in a PostgreSQL that other programs use too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine, make_url, text

from db.errors import StoreError
from db.ingestion.row import NewRow
from db.migrations import upgrade
from db.records.dataset import all_datasets
from db.settings.address import store_address
from db.store.direct.place import choose_schema
from db.store.store import Store, check_schema, connect_store
from db.store.tables import SCHEMA
from db.traffic.requested_inputs import pack_requested
from serve.prediction.request_recorder import RequestRecorder
from tests.conftest import ask, register, run_command, sample_spec, settings_for
from tests.direct import direct_store

from .test_upgrade import store_at

# Another program's tables, by names that are ours as well.
_OTHER_PROGRAM = """
CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO public.alembic_version VALUES ('{revision}');
CREATE TABLE public.model (name text); INSERT INTO public.model VALUES ('T');
CREATE TABLE public.record (id text); CREATE TABLE public.run (id text);
"""


@contextmanager
def administrator(url: str) -> Iterator[Connection]:
    """Yield a connection that owns the database."""
    engine = create_engine(store_address(url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def tables_of(url: str, schema: str) -> set[str]:
    """Return the names of a schema's tables."""
    query = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")
    with administrator(url) as connection:
        return set(connection.execute(query, {"schema": schema}).scalars())


@contextmanager
def opened(url: str, **settings: str) -> Iterator[Store]:
    """Yield the store as a new process opens it."""
    store = connect_store(settings_for(url, **settings))
    try:
        yield store
    finally:
        store.close()


def names_of(store: Store) -> list[str]:
    """Return the names of a store's datasets, which a process finds after its check."""
    check_schema(store)
    direct = direct_store(store)
    assert direct.is_usable()
    with store.reading() as connection, direct.reading() as of_driver:
        assert all_datasets(of_driver) == all_datasets(connection)
        return [dataset.name for dataset in all_datasets(connection)]


@pytest.mark.parametrize("revision", ["0003", "ae1027a6acf"])
def test_a_database_may_be_shared_with_a_program_of_the_same_names(
    postgres: Callable[[], str], revision: str
) -> None:
    """Alembic's table and tables named model and record belong to it."""
    url = postgres()
    with administrator(url) as connection:
        for statement in _OTHER_PROGRAM.format(revision=revision).split(";"):
            if statement.strip():
                connection.execute(text(statement))
    others = tables_of(url, "public")
    with opened(url) as store:
        assert upgrade(store) == SCHEMA
        register(store, sample_spec("intents"))
    with opened(url) as store:
        assert upgrade(store) == SCHEMA
        assert names_of(store) == ["intents"]
    assert tables_of(url, "public") == others
    with administrator(url) as connection:
        assert connection.execute(text("TABLE public.model")).scalar() == "T"
        assert connection.execute(text("TABLE public.alembic_version")).scalar() == revision


def test_tables_of_an_earlier_release_stay_where_they_are(database_url: str) -> None:
    """And that release, which may run beside, goes on reading their version in its own table."""
    earlier = store_at(database_url, "0007")
    register(earlier, sample_spec("intents"))
    assert upgrade(earlier) == SCHEMA
    with opened(database_url) as store:
        assert names_of(store) == ["intents"]
        with store.reading() as connection:
            told = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        assert told == SCHEMA
    if not database_url.startswith("sqlite"):
        assert tables_of(database_url, "veilleuse") == set()
    earlier.close()


def test_tables_are_moved_only_if_that_is_asked_for(postgres: Callable[[], str]) -> None:
    """They may be another deployment's, which would lose its store."""
    url = postgres()
    earlier = store_at(url, "0007")
    register(earlier, sample_spec("intents"))
    earlier.close()
    with opened(url, DATABASE_SCHEMA="lamp") as store:
        for work in (check_schema, upgrade):
            with pytest.raises(StoreError, match="schema public, and not in lamp; set DATABASE"):
                work(store)
    done = run_command(url, "db", "upgrade", "--move", DATABASE_SCHEMA="lamp")
    assert (done.code, done.err) == (0, "")
    with opened(url, DATABASE_SCHEMA="lamp") as store:
        assert names_of(store) == ["intents"]
        dataset = register(store, sample_spec("customers"))
        with store.writing() as connection:
            ask(connection, dataset.id, [NewRow(b"k" * 16, {})])
    assert tables_of(url, "public") == set()
    with opened(url) as store, pytest.raises(StoreError, match="DATABASE_SCHEMA=lamp to use them"):
        check_schema(store)


def test_two_stores_may_share_a_database(postgres: Callable[[], str]) -> None:
    """Such as a rehearsal beside production; neither is taken for the other."""
    url = postgres()
    for schema in ("one", "two"):
        with opened(url, DATABASE_SCHEMA=schema) as store:
            upgrade(store, new=True)
            register(store, sample_spec({"one": "intents"}.get(schema, "customers")))
    for schema, name in (("one", "intents"), ("two", "customers")):
        with opened(url, DATABASE_SCHEMA=schema) as store:
            assert names_of(store) == [name]


@pytest.mark.parametrize(
    ("configured", "found", "search_path", "schema"),
    [
        ("", [], ["public"], "veilleuse"),
        ("", ["veilleuse"], ["public"], "veilleuse"),
        ("", ["public"], ["public"], "public"),
        ("", ["me"], ["me", "public"], "me"),
        ("", ["other"], ["public"], "veilleuse"),
        ("mine", ["public", "veilleuse"], ["public"], "mine"),
    ],
)
def test_the_schema_is_the_one_that_has_the_tables(
    configured: str, found: list[str], search_path: list[str], schema: str
) -> None:
    """DATABASE_SCHEMA comes first; a new store has a schema of its own."""
    assert choose_schema(configured, found, search_path).schema == schema


def test_tables_in_two_schemas_are_not_chosen_from() -> None:
    """Either could be the store that is meant."""
    with pytest.raises(StoreError, match="veilleuse and public; set DATABASE_SCHEMA"):
        choose_schema("", ["public", "veilleuse"], ["public"])


@pytest.mark.parametrize("is_made", [False, True])
def test_a_user_without_rights_is_told_the_statement_that_gives_them(
    postgres: Callable[[], str], *, is_made: bool
) -> None:
    """Hosted databases often give a user no right to create schemas."""
    url = postgres()
    user = f"app_{make_url(url).database}_{is_made}".lower()
    with administrator(url) as connection:
        connection.execute(text(f"CREATE ROLE {user} LOGIN"))
        if is_made:
            connection.execute(text("CREATE SCHEMA veilleuse"))
        with opened(make_url(url).set(username=user).render_as_string()) as store:
            with pytest.raises(StoreError) as caught:
                upgrade(store)
            message = str(caught.value)
            statement = re.search("can run: ((CREATE|GRANT)[^;]*)", message)
            assert statement, message
            connection.execute(text(statement[1]))
            assert upgrade(store) == SCHEMA
            check_schema(store)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_that_cannot_hold_every_text_is_refused(
    postgres: Callable[[], str], encoding: str
) -> None:
    """Inputs would be lost; every command says so in one line, and how to make another."""
    url = make_url(postgres())
    name = f"{url.database}_{encoding}".lower()
    with administrator(url.render_as_string()) as connection:
        connection.execute(
            text(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        )
    narrow = url.set(database=name).render_as_string()
    with opened(narrow) as store:
        for work in (check_schema, upgrade):
            with pytest.raises(StoreError, match=f"encoding {encoding}, .*ENCODING 'UTF8'") as no:
                work(store)
            assert "\n" not in str(no.value)


def test_a_store_in_such_a_database_goes_on_with_a_warning(postgres: Callable[[], str]) -> None:
    """An earlier release made it there: a refusal would end a service that works."""
    url = make_url(postgres())
    name = f"{url.database}_old"
    with administrator(url.render_as_string()) as connection:
        connection.execute(
            text(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        )
    narrow = url.set(database=name).render_as_string()
    store_at(narrow, "0007")
    for _ in range(2):
        done = run_command(narrow, "db", "upgrade")
        assert (done.code, done.err.count("\n")) == (0, 1), done.err
        assert re.search("warning: .*encoding LATIN1, .*ENCODING 'UTF8'", done.err)
    with opened(narrow) as store:
        dataset = register(store, sample_spec("intents"))
        recorder = RequestRecorder(direct_store(store), 10, 10)
        for sentence in ("garçon", "Zażółć", "merci"):
            inputs = dataset.spec.read_inputs({"sentence": sentence})
            recorder.put(dataset.id, pack_requested(dataset.spec.key(inputs), inputs))
        recorder.start()
        recorder.close()
        assert (recorder.refused, recorder.dropped) == (1, 0)
        assert names_of(store) == ["intents"]
    findings = json.loads(run_command(narrow, "db", "doctor", "--json").out)
    assert [one["level"] for one in findings if "LATIN1" in one["message"]] == ["warning"]


def test_the_doctor_says_that_the_encoding_will_not_do(postgres: Callable[[], str]) -> None:
    """It is what a person runs first."""
    url = make_url(postgres())
    with administrator(url.render_as_string()) as connection:
        connection.execute(
            text("CREATE DATABASE narrow ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        )
    narrow = url.set(database="narrow").render_as_string()
    for arguments in (["upgrade"], ["status"]):
        done = run_command(narrow, "db", *arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "encoding SQL_ASCII" in done.err
    findings = json.loads(run_command(narrow, "db", "doctor", "--json").out)
    (fault,) = [finding for finding in findings if finding["level"] == "fault"]
    assert "SQL_ASCII" in fault["message"]
    assert "CREATE DATABASE" in fault["remedy"]
