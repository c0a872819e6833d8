"""Fixtures and helpers for all tests: stores on both databases, datasets and commands."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Connection

from db.ingestion.row import NewRow
from db.records.dataset import Dataset, find_dataset, register_dataset
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import TextField
from db.spec.section import EnricherSpec
from db.spec.toml_file import read_spec
from db.store.store import Store
from db.traffic.requested_inputs import pack_requested, record_requested

from .direct import close_direct_stores
from .empty_store import make_store as make_store  # noqa: PLC0414  tests import it from here
from .empty_store import settings_for as settings_for  # noqa: PLC0414
from .extent import ALL, FULL
from .processes import PATIENCE_SECONDS
from .warm.command import may_be_warm, start_warm

ROOT = Path(__file__).parent.parent
pytest_plugins = ["tests.databases", "tests.trained"]
# Examples may take long on a busy machine, and are not kept in a file.
hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")
# The environment variables that commands inherit from the tests.
KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "CONTAINERS_CONF")
# The tests in these folders are slow: they inject faults or drive a browser.
SLOW_FOLDERS = {"faults", "browser"}


def pytest_configure() -> None:
    """Handle signals: a suite that a shell starts in the background ignores SIGINT by default."""
    _handle_signals()
    if not FULL:
        # Python loads its `sitecustomize` at every start.
        os.environ["PYTHONPATH"] = str(ROOT / "tests" / "startup")


def _handle_signals() -> None:
    """Let SIGINT and SIGTERM end the suite; a command that ran in this process handled them."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests in the slow folders as slow, before `-m` selects tests by their marks."""
    for item in items:
        if item.path.parent.name in SLOW_FOLDERS:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test if all tests must run; the failure shows the reason for the skip."""
    report = yield
    if ALL and report.skipped and isinstance(report.longrepr, tuple):
        report.outcome, report.longrepr = "failed", report.longrepr[2]
    return report


@pytest.fixture(autouse=True)
def _signal_handlers() -> Iterator[None]:
    """Handle signals as the suite does again, whatever the test has run."""
    yield
    _handle_signals()


@pytest.fixture(autouse=True)
def _direct_stores() -> Iterator[None]:
    """Close the stores that a test has opened as a web process does."""
    yield
    close_direct_stores()


@pytest.fixture
def settings(database_url: str) -> Settings:
    """Return the settings of `store`."""
    return settings_for(database_url)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Yield a store whose tables exist, on each database in turn."""
    store = make_store(database_url)
    yield store
    store.close()


def register(store: Store, spec: DatasetSpec) -> Dataset:
    """Register a spec in the store and return its dataset."""
    with store.writing() as connection:
        register_dataset(connection, spec)
        return find_dataset(connection, spec.name)


def ask(connection: Connection, dataset_id: int, rows: Sequence[NewRow]) -> None:
    """Record unseen inputs as a web process does."""
    record_requested(connection, dataset_id, [pack_requested(row.key, row.inputs) for row in rows])


def sample_spec(name: str) -> DatasetSpec:
    """Return the spec of a sample dataset in `datasets/`."""
    return read_spec(ROOT / "datasets" / f"{name}.toml")


def counts(**expected: int) -> dict[str, int]:
    """Return the expected counts of imported rows, 0 where none is given."""
    names = ("added", "corrected", "unchanged", "repeated", "removed", "records")
    return dict.fromkeys(names, 0) | expected


# A teacher of the tests that reads words and enrichments.
WORDS_TEACHER = "tests.store.sample_teachers.words"


def notes_spec(enrichers: dict[str, EnricherSpec], teacher: str = "default") -> DatasetSpec:
    """Return a spec with a field for a short sentence and these enrichers.

    With the default teacher the student may be the teacher, which reads no enrichments.
    """
    return DatasetSpec(
        name="notes",
        kind="classification",
        target="tone",
        fields={"sentence": TextField()},
        enrichers=enrichers,
        teacher=teacher,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the project, as a newcomer has it."""
    folder = tmp_path / "project"
    kept = shutil.ignore_patterns(".venv", ".git", "*.db*", "__pycache__", ".*_cache", "tests")
    shutil.copytree(ROOT, folder, ignore=kept)
    return folder


@dataclass(frozen=True)
class Done:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


def run_command(url: str, package: str, *arguments: str, **environment: str) -> Done:
    """Run `python -m PACKAGE ARGUMENTS` in the project's folder, as a user would.

    It is forked with its imports done, unless a variable must be read when Python starts.
    """
    words, started = [package, *arguments], command_environment(url, **environment)
    if may_be_warm(environment):
        return run_words(words, started, ROOT)
    return run_cold(words, started, ROOT)


def run_words(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> Done:
    """Run `python -m WORDS` in a folder: forked with its imports done, but not in the long form."""
    if FULL:
        return run_cold(words, environment, folder)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = start_warm(words, environment, folder, out, err)
        try:
            code = process.wait(PATIENCE_SECONDS)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return Done(code, out.read(), err.read())


def run_cold(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> Done:
    """Run `python -m WORDS` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def command_environment(url: str, **more: str) -> dict[str, str]:
    """Return the environment in which a command runs."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # The path that a test adds comes before the path that all commands need.
    paths = [source["PYTHONPATH"] for source in (more, kept) if "PYTHONPATH" in source]
    added = {"DATABASE_URL": url, "CODE_PATHS": "datasets,tests", **more}
    return {**kept, **added, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def command(database_url: str) -> Callable[..., Done]:
    """Return a function that runs `python -m PACKAGE ARGUMENTS` on the store."""

    def run(package: str, *arguments: str, **environment: str) -> Done:
        return run_command(database_url, package, *arguments, **environment)

    return run
