"""The target of a run: a server that is already running, or a web process started for the run."""

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
    core_list,
    environment_of,
    free_port,
    is_ready,
    pin_to_cores,
    running_command,
    wait_until,
)
from benchmark.text_table import PartVerdict

from .nginx import running_nginx
from .resource_meter import Usage, usage_of_host, usage_of_process
from .store import SQLITE, export_rows, fill_samples, prepare_store

FRONT = "front"


@dataclass(frozen=True)
class Target:
    """The server of a run: its address, rows to send to it, and how to read its resources."""

    about: str
    host: str
    rows: Path
    read_usage: Callable[[], Usage | None]
    settings: dict[str, str]
    # Further verdicts, on images and containers; complete only once the target has stopped.
    parts: list[PartVerdict] = field(default_factory=list)


@contextmanager
def connect_to_server(
    host: str, headers: dict[str, str], rows: Path | None, dataset: str
) -> Iterator[Target]:
    """Yield a running server as the target; the default rows are the sample's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if rows is None:
            environment = environment_of(f"{SQLITE}{folder}/samples.db")
            fill_samples(environment, [dataset])
            rows = export_rows(environment, dataset, folder)
        yield Target(f"the server at {host}", host, rows, usage_of_host(host, headers), {})


@contextmanager
def start_web_process(scenario: Scenario, cores: frozenset[int], log: Path) -> Iterator[Target]:
    """Run a web process on some cores, with a copy of the store, while the block runs."""
    settings = server_settings(scenario)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_of(prepare_store(folder)) | settings
        rows = export_rows(environment, scenario.dataset, folder)
        with (
            _serving(environment, cores, log) as (process, port),
            start_front(scenario, folder, port, cores) as (front, host),
        ):
            about = f"{front}python -m serve on {describe_cores(cores)}"
            yield Target(about, host, rows, usage_of_process(process.pid), settings)


def server_settings(scenario: Scenario) -> dict[str, str]:
    """Return the settings of the web process in a scenario."""
    return {name: value for name, value in scenario.server.items() if name != FRONT}


def describe_cores(cores: frozenset[int]) -> str:
    """Return cores as text: "core 0,1"."""
    return f"core {core_list(cores)}" if cores else "any core"


@contextmanager
def _serving(
    environment: dict[str, str], cores: frozenset[int], log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a web process while the block runs, and yield it with its port."""
    port = free_port()
    command = [*pin_to_cores(cores), sys.executable, "-m", "serve"]
    with (
        log.open("wb") as file,
        running_command(environment | {"PORT": str(port)}, command, file.fileno()) as process,
    ):
        wait_until("the web process is ready", lambda: is_ready(port))
        yield process, port


@contextmanager
def start_front(
    scenario: Scenario, folder: Path, port: int, cores: frozenset[int]
) -> Iterator[tuple[str, str]]:
    """Run the scenario's front server, if it has one; yield its description and the address."""
    if scenario.server.get(FRONT) != "nginx":
        yield "", f"http://127.0.0.1:{port}"
        return
    front_port = free_port()
    with running_nginx(folder, front_port, port, cores=cores):
        yield "nginx and ", f"http://127.0.0.1:{front_port}"
