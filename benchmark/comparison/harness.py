"""The common setup of comparisons: a trained store, servers on one core, load from another.

All servers of a comparison take turns in each round, since the machine may be noisy, and the
figures are medians over the rounds.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from benchmark.load.inputs import predict_path, read_rows
from benchmark.percentile import medians
from benchmark.processes import (
    ROOT,
    call,
    children,
    cpu_seconds,
    environment_of,
    fill_store,
    free_port,
    is_answering,
    pin_to_cores,
    running_command,
    tree_mebibytes,
    wait_until,
)
from benchmark.target.scrape import scrape
from benchmark.target.store import copied_store

SERVER_CORE, LOAD_CORE = frozenset({0}), frozenset({1})
ROUNDS = 5
ROUND_SECONDS = 5
WARM_SECONDS = 1
# A process reads the metrics of others up to a second later.
METRICS_SECONDS = 1.1
CONNECTIONS = 32
REPEATED = 200
THREADS = os.environ.get("WEB_THREADS", "4")
# There is no worker, and unseen inputs for which the store has no room would cost less.
RECORDS_ALL = {"WAITING_RECORDS": "100000000"}

# How inputs become unseen: their text gets one more word, or their last number more decimals.
Vary: TypeAlias = Literal["", "word", "decimals"]


@dataclass(frozen=True)
class WorkloadScale:
    """The size of the measurements: the documented numbers, or a share of them for a quick try."""

    share: float = 1.0
    # The documented claim is for 5,000,000 inputs; this number takes about a minute.
    varied: int = 200_000

    def apply(self, number: float, least: float = 1) -> int:
        """Return the share of a number of users, connections or seconds."""
        return round(max(number * self.share, least))


@dataclass(frozen=True)
class StoreSetup:
    """A store with a trained dataset, and the size of the measurements."""

    scale: WorkloadScale
    environment: dict[str, str]
    folder: Path


@dataclass(frozen=True)
class ComparisonSetup(StoreSetup):
    """A store with a trained dataset of sentences, and the sentences to send."""

    data: Path
    rows: Path
    accuracy: float

    def paths(self, count: int | None = None) -> Path:
        """Write the paths of the first rows, of all by default, one per line; return the file."""
        file = self.folder / f"paths-{count or 'all'}"
        paths = (predict_path("intents", row) for row in read_rows(self.rows)[:count])
        file.write_text("\n".join(paths), "ascii")
        return file


@contextmanager
def prepare_setup(data: Path, scale: WorkloadScale, url: str = "") -> Iterator[ComparisonSetup]:
    """Import a file into the sample dataset, enrich, train and enrich again; yield the setup."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = url or os.environ.get("DATABASE_URL", f"sqlite:///{folder}/bench.db")
        environment = environment_of(url)
        fill_store(environment, {"intents": str(data)})
        call(environment, "enrich", "once")
        call(environment, "enrich", "train", "intents")
        call(environment, "enrich", "once")
        models = json.loads(call(environment, "enrich", "models", "intents", "--json"))
        rows = folder / "rows.jsonl"
        rows.write_text(call(environment, "db", "export", "intents"), "utf-8")
        yield ComparisonSetup(scale, environment, folder, data, rows, _accuracy(models))


def _accuracy(models: list[dict[str, Any]]) -> float:
    """Return the student's accuracy out of fold."""
    return float(models[0]["metrics"]["student"]["accuracy"])


@dataclass(frozen=True)
class Server:
    """A server: its command, its environment, and the path that answers once it is ready."""

    name: str
    command: list[str]
    environment: dict[str, str]
    ready: str


@contextmanager
def serving(server: Server, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on its core while the block runs."""
    command = [*pin_to_cores(SERVER_CORE), *server.command]
    with running_command({**server.environment, "PORT": str(port)}, command) as process:
        wait_until(f"{server.name} is ready", lambda: is_answering(port, server.ready), 0.005)
        yield process


@dataclass(frozen=True)
class WrkLoad:
    """A closed load by wrk: each connection sends a request as soon as it has its answer."""

    seconds: float
    connections: int = CONNECTIONS
    # An answer that takes longer is a failure; 2 s is also wrk's default.
    timeout_seconds: int = 2


WARM_UP = WrkLoad(WARM_SECONDS)


def round_load(setup: StoreSetup) -> WrkLoad:
    """Return the load on each server in each round."""
    return WrkLoad(setup.scale.apply(ROUND_SECONDS))


def run_wrk(port: int, paths: Path, vary: str = "", load: WrkLoad = WARM_UP) -> dict[str, Any]:
    """Run wrk against a port, and return its figures; `vary` is put between path and number."""
    command = [*pin_to_cores(LOAD_CORE), "wrk", "-t1", f"-c{load.connections}"]
    command += [f"-d{load.seconds:g}s", f"--timeout={load.timeout_seconds}s", "--latency"]
    done = subprocess.run(  # noqa: S603
        [*command, "-s", str(ROOT / "benchmark/comparison/wrk.lua"), f"http://127.0.0.1:{port}"],
        env={**os.environ, "PATHS": str(paths), "VARY": vary},
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


# Takes the port and the id of a server that has just started, and the number of the round; returns
# figures of its own.
BeforeLoad: TypeAlias = Callable[[int, int, int], dict[str, float]]


@dataclass(frozen=True)
class Contender:
    """A server in a comparison, and the requests that it gets."""

    server: Server
    paths: Path
    vary: Vary = ""
    before_load: BeforeLoad = lambda *_: {}
    # Whether to ask the metrics of a web process for the share of the inputs that it recorded.
    asks_recorded: bool = False


def run_rounds(
    contenders: list[Contender], load: WrkLoad, rounds: int = ROUNDS
) -> dict[str, list[dict[str, Any]]]:
    """Start and load each server once per round; return the figures per round, by server."""
    figures: dict[str, list[dict[str, Any]]] = {
        contender.server.name: [] for contender in contenders
    }
    for number in range(rounds):
        for contender in contenders:
            figures[contender.server.name].append(measure_once(contender, number, load))
    return figures


def measure_once(contender: Contender, number: int, load: WrkLoad) -> dict[str, Any]:
    """Start and load a server with a store of its own, and return the figures of this round.

    `start_seconds` is the time until `ready` is answered.
    """
    with copied_store(contender.server.environment) as environment:
        server = dataclasses.replace(contender.server, environment=environment)
        return _measure(dataclasses.replace(contender, server=server), number, load)


def _measure(contender: Contender, number: int, load: WrkLoad) -> dict[str, Any]:
    port, began = free_port(), time.monotonic()
    with serving(contender.server, port) as process:
        start_seconds = time.monotonic() - began
        before_load = contender.before_load(port, process.pid, number)
        warm, vary = _separators(contender.vary, number)
        warmed = run_wrk(port, contender.paths, warm)
        before = tree_cpu_seconds(process.pid)
        measured = run_wrk(port, contender.paths, vary, load)
        used = tree_cpu_seconds(process.pid) - before
        measured["cpu_microseconds"] = 1e6 * used / max(measured["requests"], 1)
        measured["mebibytes"] = tree_mebibytes(process.pid)
        measured["start_seconds"] = start_seconds
        if contender.asks_recorded:
            sent = warmed["requests"] + measured["requests"]
            measured["recorded"] = 1 - unrecorded_inputs(port) / max(sent, 1)
        return measured | before_load


def unrecorded_inputs(port: int) -> float:
    """Return how many unseen inputs a web process answered without recording them.

    It is 0 if the metrics cannot be read.
    """
    time.sleep(METRICS_SECONDS)
    metrics = scrape(f"http://127.0.0.1:{port}", {})
    return metrics.unrecorded_inputs if metrics else 0


def _separators(vary: Vary, number: int) -> tuple[str, str]:
    """Return what comes before the numbers of the warm-up, and of a round: none are the same."""
    if vary == "decimals":
        return "9", f"{number}"
    return (f"+w{number}x", f"+{number}x") if vary else ("", "")


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its descendants have used."""
    return cpu_seconds(pid) + sum(tree_cpu_seconds(child) for child in children(pid))


def print_medians(figures: dict[str, list[dict[str, Any]]], baseline: str) -> None:
    """Print the medians of each server, and the ratio of its rate to the baseline's."""
    baseline_rate = statistics.median(measured["rate"] for measured in figures[baseline])
    for name, rounds in figures.items():
        median = medians(rounds)
        rates = " ".join(f"{measured['rate']:.0f}" for measured in rounds)
        print(
            f"  {name:<28} {median['rate']:7.0f} requests/s {median['rate'] / baseline_rate:6.2f} ×"
            f"  p50 {median['p50']:.2f} p95 {median['p95']:.2f} p99 {median['p99']:.2f} ms"
            f"  failures {sum(measured['failures'] for measured in rounds)}  ({rates})",
            flush=True,
        )


def veilleuse_server(setup: StoreSetup, name: str = "Veilleuse", **settings: str) -> Server:
    """Return this project's web process with some settings."""
    environment = {"WEB_THREADS": THREADS, **setup.environment, **settings}
    return Server(name, [sys.executable, "-m", "serve"], environment, "/readyz")
