"""The subject of a run: a server that is there already, or a process that is started for it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.load.scenario import Scenario
from benchmark.processes import (
    answers,
    core_list,
    environment_of,
    free_port,
    pinned,
    running_command,
    wait_until,
)
from benchmark.text_table import ReportPart

from .nginx import running_nginx
from .resource_meter import Reading, of_host, of_process
from .store import SQLITE, export_rows, fill_samples, lend_store

FRONT = "front"


@dataclass(frozen=True)
class Target:
    """Where to ask, rows to ask for, and how to read what the server takes."""

    about: str
    host: str
    rows: Path
    read: Callable[[], Reading | None]
    settings: dict[str, str]
    # What is found out about it beside the run's own figures, complete once it has ended.
    parts: list[ReportPart] = field(default_factory=list)


@contextmanager
def deployed(
    host: str, headers: dict[str, str], rows: Path | None, dataset: str
) -> Iterator[Target]:
    """Give a server that somebody else runs; without rows the sample's are asked for."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if rows is None:
            environment = environment_of(f"{SQLITE}{folder}/samples.db")
            fill_samples(environment, [dataset])
            rows = export_rows(environment, dataset, folder)
        yield Target(f"the server at {host}", host, rows, of_host(host, headers), {})


@contextmanager
def started(scenario: Scenario, cores: frozenset[int], log: Path) -> Iterator[Target]:
    """Start a web process on some cores, on a store that may be asked anything."""
    settings = settings_of(scenario)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_of(lend_store(folder)) | settings
        rows = export_rows(environment, scenario.dataset, folder)
        with (
            _serving(environment, cores, log) as (process, port),
            fronted(scenario, folder, port, cores) as (front, host),
        ):
            about = f"{front}python -m serve on {cores_in_words(cores)}"
            yield Target(about, host, rows, of_process(process.pid), settings)


def settings_of(scenario: Scenario) -> dict[str, str]:
    """Return the settings that a scenario wants of its server."""
    return {name: value for name, value in scenario.server.items() if name != FRONT}


def cores_in_words(cores: frozenset[int]) -> str:
    """Return cores as people read them."""
    return f"core {core_list(cores)}" if cores else "any core"


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
def fronted(
    scenario: Scenario, folder: Path, port: int, cores: frozenset[int]
) -> Iterator[tuple[str, str]]:
    """Put before a server what a scenario wants there; gives its name and where to ask."""
    if scenario.server.get(FRONT) != "nginx":
        yield "", f"http://127.0.0.1:{port}"
        return
    before = free_port()
    with running_nginx(folder, before, port, cores=cores):
        yield "nginx and ", f"http://127.0.0.1:{before}"
