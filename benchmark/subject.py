"""The subject of a run: a server that is there already, or one that is started for it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .command import (
    ROOT,
    answers,
    call,
    environment_of,
    fill_store,
    free_port,
    pinned,
    running_command,
    wait_until,
)
from .meter import Reading, of_host, of_process
from .nginx import configure, nginx_command
from .scenario import Scenario

SAMPLES = ("intents", "customers")
DEFAULT_URL = "sqlite:///veilleuse.db"
SQLITE = "sqlite:///"
FRONT = "front"


@dataclass(frozen=True)
class Subject:
    """Where to ask, rows to ask for, and how to read what the server takes."""

    about: str
    host: str
    rows: Path
    read: Callable[[], Reading | None]
    settings: dict[str, str]


@contextmanager
def deployed(
    host: str, headers: dict[str, str], rows: Path | None, dataset: str
) -> Iterator[Subject]:
    """Give a server that somebody else runs; without rows the sample's are asked for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if rows is None:
            environment = environment_of(f"{SQLITE}{folder}/samples.db")
            fill_store(environment, _sample_files([dataset]))
            rows = _export(environment, dataset, folder)
        yield Subject(f"the server at {host}", host, rows, of_host(host, headers), {})


@contextmanager
def started(scenario: Scenario, cores: frozenset[int], log: Path) -> Iterator[Subject]:
    """Start a web process on some cores, on a copy of the store that the settings name.

    The copy takes what the run asks for, so that nobody's store is filled with it. A PostgreSQL is
    not copied. Where there is no store yet, one is made of the samples.
    """
    settings = {name: value for name, value in scenario.server.items() if name != FRONT}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_of(_store(folder)) | settings
        rows = _export(environment, scenario.dataset, folder)
        with _serving(environment, cores, log) as (process, port):
            about = f"python -m serve on {_cores(cores)}"
            read = of_process(process.pid)
            if scenario.server.get(FRONT) != "nginx":
                yield Subject(about, f"http://127.0.0.1:{port}", rows, read, settings)
                return
            with _nginx(folder, port, cores) as before:
                about = f"nginx and {about}"
                yield Subject(about, f"http://127.0.0.1:{before}", rows, read, settings)


def _cores(cores: frozenset[int]) -> str:
    return f"core {', '.join(map(str, sorted(cores)))}" if cores else "any core"


def _store(folder: Path) -> str:
    """Return the address of a store that may be asked anything."""
    url = os.environ.get("DATABASE_URL", DEFAULT_URL)
    if not url.startswith(SQLITE):
        return url
    original, copy = ROOT / url.removeprefix(SQLITE), folder / "store.db"
    if original.exists():
        with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    else:
        print("there is no store yet: the samples are imported and trained", file=sys.stderr)
        _train(environment_of(f"{SQLITE}{copy}"))
    return f"{SQLITE}{copy}"


def _train(environment: dict[str, str]) -> None:
    fill_store(environment, _sample_files(SAMPLES))
    for name in SAMPLES:
        call(environment, "enrich", "train", name)
    call(environment, "enrich", "once")


def _sample_files(names: Iterable[str]) -> dict[str, str]:
    return {name: f"datasets/{name}.csv" for name in names}


def _export(environment: dict[str, str], dataset: str, folder: Path) -> Path:
    file = folder / "rows.jsonl"
    file.write_text(call(environment, "db", "export", dataset), "utf-8")
    return file


@contextmanager
def _serving(
    environment: dict[str, str], cores: frozenset[int], log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    command = [*pinned(cores), sys.executable, "-m", "serve"]
    with (
        log.open("wb") as file,
        running_command(environment | {"PORT": str(port)}, command, file.fileno()) as process,
    ):
        wait_until("the web process", lambda: answers(port, "/readyz"))
        yield process, port


@contextmanager
def _nginx(folder: Path, behind: int, cores: frozenset[int]) -> Iterator[int]:
    before = free_port()
    config = configure(folder, before, behind)
    with running_command(dict(os.environ), [*pinned(cores), *nginx_command(config)]):
        wait_until("nginx", lambda: answers(before, "/readyz"))
        yield before
