"""What tests of all levels share: stores of both kinds, datasets, and our own commands."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection

from db.migrations import upgrade
from db.records.dataset import Dataset, find_dataset, register_dataset
from db.records.record import NewRecord
from db.settings import Settings, load_settings
from db.spec.dataset_spec import DatasetSpec, EnricherSpec
from db.spec.field import TextField
from db.spec.toml_file import read_spec
from db.store.store import Store, connect_store
from db.traffic.requested_inputs import pack_requested, record_requested

from .extent import ALL, FULL
from .postgres import running_postgres
from .processes import PATIENCE_SECONDS

ROOT = Path(__file__).parent.parent
pytest_plugins = ["tests.trained"]
# The environment variables that commands inherit from the tests.
KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "CONTAINERS_CONF")
# Their tests take long: they inject faults, or drive a browser.
SLOW_FOLDERS = {"faults", "browser"}


def pytest_configure() -> None:
    """Hear SIGINT: a suite that a shell started in the background is deaf, as is all it starts."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not FULL:
        # Python loads its `sitecustomize` at every start.
        os.environ["PYTHONPATH"] = str(ROOT / "tests" / "startup")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of some folders as slow, before `-m` selects tests by their marks."""
    for item in items:
        if item.path.parent.name in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped although all tests must run; it says what is missing."""
    report = yield
    if ALL and report.skipped and isinstance(report.longrepr, tuple):
        report.outcome, report.longrepr = "failed", report.longrepr[2]
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Start a real PostgreSQL; gives a function that makes a new database and returns its URL."""
    numbers = itertools.count(1)
    with running_postgres() as running:

        def new_database() -> str:
            name = f"test_{next(numbers)}"
            with psycopg.connect(running.server.get_uri(), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}".encode())
            return str(running.server.get_uri(database=name))

        yield new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty database, of either kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    new_database: Callable[[], str] = request.getfixturevalue("postgres")
    return new_database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the address of an empty SQLite database, where the kind does not matter."""
    return f"sqlite:///{tmp_path / 'store.db'}"


def settings_for(url: str, **more: str) -> Settings:
    """Return settings as the environment would give them."""
    return load_settings({"DATABASE_URL": url, "CODE_PATHS": "datasets,tests", **more})


def make_store(url: str) -> Store:
    """Return a store with its tables."""
    store = connect_store(settings_for(url))
    upgrade(store)
    return store


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Give the settings that go with `store`."""
    return settings_for(database_url)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Give a store with its tables, on either database in turn."""
    made = make_store(database_url)
    yield made
    made.close()


def register(store: Store, spec: DatasetSpec) -> Dataset:
    """Put a spec into the store."""
    with store.writing() as connection:
        register_dataset(connection, spec)
        return find_dataset(connection, spec.name)


def ask(connection: Connection, dataset_id: int, rows: Sequence[NewRecord]) -> None:
    """Do what a web process does with inputs that nobody had seen."""
    record_requested(connection, dataset_id, [pack_requested(row.key, row.inputs) for row in rows])


def sample_spec(name: str) -> DatasetSpec:
    """Return the spec of a sample that ships."""
    return read_spec(ROOT / "datasets" / f"{name}.toml")


def counts(**said: int) -> dict[str, int]:
    """Return what is said of records that were added, none having come twice."""
    return {"repeated": 0, "contradicted": 0, **said}


def notes_spec(enrichers: dict[str, EnricherSpec]) -> DatasetSpec:
    """Return a spec of short sentences with these enrichers."""
    return DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField()},
        enrichers=enrichers,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a copy of the project, as a newcomer has it."""
    folder = tmp_path / "project"
    kept = shutil.ignore_patterns(".venv", ".git", "*.db*", "__pycache__", ".*_cache", "tests")
    shutil.copytree(ROOT, folder, ignore=kept)
    return folder


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_command(url: str, room: str, *arguments: str, **environment: str) -> Done:
    """Run one of our commands as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", room, *arguments],
        cwd=ROOT,
        env=command_environment(url, **environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def command_environment(url: str, **more: str) -> dict[str, str]:
    """Return the environment that a command is run in."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # The path that a test asks for comes before the one that all commands need.
    paths = [given["PYTHONPATH"] for given in (more, kept) if "PYTHONPATH" in given]
    given = {"DATABASE_URL": url, "CODE_PATHS": "datasets,tests", **more}
    return {**kept, **given, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def command(database_url: str) -> Callable[..., Done]:
    """Give a function that runs `python -m ROOM ARGUMENTS` on the store."""

    def run(room: str, *arguments: str, **environment: str) -> Done:
        return run_command(database_url, room, *arguments, **environment)

    return run
