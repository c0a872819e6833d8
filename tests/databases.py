"""Fixtures of databases: SQLite files, and databases of a PostgreSQL that each process starts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from db.store.store import Store

from .empty_store import make_store, migrate
from .extent import POOLED
from .pgbouncer import running_pgbouncer
from .postgres import Server, running_postgres

_DATABASES = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Start PostgreSQL for all tests of this process."""
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def pooler(postgres_server: Server) -> Iterator[Callable[[str], str]]:
    """Start PgBouncer in transaction mode; yield a function that routes a database's URL by it."""
    with running_pgbouncer(postgres_server) as route:
        yield route


@pytest.fixture(scope="session")
def migrated_database(postgres_server: Server) -> str:
    """Return the name of a database with empty tables, to copy: nothing may connect to it."""
    name = "migrated"
    _execute(postgres_server, f"CREATE DATABASE {name}")
    migrate(postgres_server.server.get_uri(database=name))
    return name


def _execute(running: Server, *statements: str) -> None:
    with psycopg.connect(running.server.get_uri(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def postgres(
    request: pytest.FixtureRequest, postgres_server: Server
) -> Iterator[Callable[..., str]]:
    """Yield a function that makes a new database and returns its URL; drop them at the end.

    It is empty, or a copy of the database `template`.
    """
    with _new_databases(request, postgres_server) as new_database:
        yield new_database


@contextmanager
def _new_databases(
    request: pytest.FixtureRequest, postgres_server: Server
) -> Iterator[Callable[..., str]]:
    names: list[str] = []

    def new_database(template: str = "template1") -> str:
        names.append(f"test_{next(_DATABASES)}")
        _execute(postgres_server, f"CREATE DATABASE {names[-1]} TEMPLATE {template}")
        url = str(postgres_server.server.get_uri(database=names[-1]))
        return request.getfixturevalue("pooler")(url) if POOLED else url

    yield new_database
    # Each has 300 files: thousands of databases would take minutes to remove at the end.
    _execute(postgres_server, *(f"DROP DATABASE {name} WITH (FORCE)" for name in names))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, on SQLite and PostgreSQL in turn.

    On PostgreSQL it has the tables already if the test uses `store`.
    """
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    new_database: Callable[..., str] = request.getfixturevalue("postgres")
    if "store" in request.fixturenames:
        return new_database(request.getfixturevalue("migrated_database"))
    return new_database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of an empty SQLite database, for tests that need only one database."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Yield a store for all tests of a module that only read it, on each database in turn."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('shared') / 'store.db'}"
        else:
            server = request.getfixturevalue("postgres_server")
            new_database = stack.enter_context(_new_databases(request, server))
            url = new_database(request.getfixturevalue("migrated_database"))
        store = make_store(url)
        yield store
        store.close()
