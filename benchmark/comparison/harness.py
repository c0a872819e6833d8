"""The stand: a site, servers that run on one core, and load from another.

All sides of a comparison take turns in each round, since the machine may be a noisy one; what is
told are medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.load.inputs import path_of, read_rows
from benchmark.percentile import medians
from benchmark.processes import (
    ROOT,
    answers,
    call,
    environment_of,
    fill_store,
    free_port,
    pinned,
    running_command,
    tree_mebibytes,
    wait_until,
)

SERVER_CORE, LOAD_CORE = frozenset({0}), frozenset({1})
ROUNDS = 5
ROUND_SECONDS = 5
WARM_SECONDS = 1
CONNECTIONS = 32
REPEATED = 200
THREADS = os.environ.get("WEB_THREADS", "4")


@dataclass(frozen=True)
class Effort:
    """How much is asked: all that the targets name, or a share of it for a trial."""

    share: float = 1.0
    # 5,000,000 is what is claimed; these take about a minute.
    varied: int = 200_000

    def of(self, number: float, least: float = 1) -> int:
        """Return this share of a number of users, connections or seconds."""
        return round(max(number * self.share, least))


@dataclass(frozen=True)
class Site:
    """A store with a trained dataset, sentences to ask for, and how much to ask."""

    data: Path
    effort: Effort
    environment: dict[str, str]
    folder: Path
    rows: Path
    accuracy: float

    @property
    def peer_model(self) -> Path:
        """Where the model is that all peers call."""
        return self.folder / "peer.joblib"

    def paths(self, count: int | None = None) -> Path:
        """Return a file with a path a line."""
        file = self.folder / f"paths-{count or 'all'}"
        asked = (path_of("intents", row) for row in read_rows(self.rows)[:count])
        file.write_text("\n".join(asked), "ascii")
        return file


@contextmanager
def site(data: Path, effort: Effort, url: str = "") -> Iterator[Site]:
    """Give a store of the sample dataset with this data, enriched, trained and enriched again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = url or os.environ.get("DATABASE_URL", f"sqlite:///{folder}/bench.db")
        environment = environment_of(url)
        fill_store(environment, {"intents": str(data)})
        call(environment, "enrich", "once")
        call(environment, "enrich", "train", "intents")
        call(environment, "enrich", "once")
        found = json.loads(call(environment, "enrich", "models", "intents", "--json"))
        rows = folder / "rows.jsonl"
        rows.write_text(call(environment, "db", "export", "intents"), "utf-8")
        yield Site(data, effort, environment, folder, rows, _accuracy(found))


def _accuracy(models: list[dict[str, Any]]) -> float:
    """Return the student's accuracy out of fold."""
    return float(models[0]["metrics"]["student"]["accuracy"])


@dataclass(frozen=True)
class Server:
    """A server: how it is started, and the path at which it shows that it is ready."""

    name: str
    command: list[str]
    environment: dict[str, str]
    ready: str


@contextmanager
def serving(server: Server, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on its core for as long as the block does."""
    command = [*pinned(SERVER_CORE), *server.command]
    with running_command({**server.environment, "PORT": str(port)}, command) as process:
        wait_until("the server", lambda: answers(port, server.ready), 0.02)
        yield process


@dataclass(frozen=True)
class Load:
    """Connections that each ask again as soon as they are answered."""

    seconds: float
    connections: int = CONNECTIONS
    # An answer that takes longer is a failure; this is what wrk takes unless told otherwise.
    patience_seconds: int = 2


WARM = Load(WARM_SECONDS)


def turn(site: Site) -> Load:
    """Return what a side gets in each round unless its part says otherwise."""
    return Load(site.effort.of(ROUND_SECONDS))


def load(port: int, paths: Path, vary: str = "", how: Load = WARM) -> dict[str, Any]:
    """Ask as fast as it can over some connections."""
    command = [*pinned(LOAD_CORE), "wrk", "-t1", f"-c{how.connections}"]
    command += [f"-d{how.seconds:g}s", f"--timeout={how.patience_seconds}s", "--latency"]
    done = subprocess.run(  # noqa: S603
        [*command, "-s", str(ROOT / "benchmark/comparison/wrk.lua"), f"http://127.0.0.1:{port}"],
        env={**os.environ, "PATHS": str(paths), "VARY": vary},
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@dataclass(frozen=True)
class Side:
    """A server and what it is asked."""

    server: Server
    paths: Path
    vary: bool = False


def compare(sides: list[Side], how: Load) -> dict[str, list[dict[str, Any]]]:
    """Load each side in turn, five times; each server starts anew each time."""
    found: dict[str, list[dict[str, Any]]] = {side.server.name: [] for side in sides}
    for number in range(ROUNDS):
        for side in sides:
            port = free_port()
            with serving(side.server, port) as process:
                vary = f"{number}x" if side.vary else ""
                load(port, side.paths, vary and f"w{vary}")
                figures = load(port, side.paths, vary, how)
                held = tree_mebibytes(process.pid)
                found[side.server.name].append(figures | {"mebibytes": held})
    return found


def show(found: dict[str, list[dict[str, Any]]], floor: str) -> None:
    """Print medians, and each side's ratio to the floor's."""
    base = statistics.median(one["rate"] for one in found[floor])
    for name, rounds in found.items():
        middle = medians(rounds)
        each = " ".join(f"{one['rate']:.0f}" for one in rounds)
        print(
            f"  {name:<28} {middle['rate']:7.0f} requests/s {middle['rate'] / base:6.2f} ×"
            f"  p50 {middle['p50']:.2f} p95 {middle['p95']:.2f} p99 {middle['p99']:.2f} ms"
            f"  failures {sum(one['failures'] for one in rounds)}  ({each})",
            flush=True,
        )


def ours(site: Site, name: str = "ours", **settings: str) -> Server:
    """Return our server."""
    environment = {"WEB_THREADS": THREADS, **site.environment, **settings}
    return Server(name, [sys.executable, "-m", "serve"], environment, "/readyz")


def bare(site: Site, server: str = "waitress") -> Server:
    """Return a bare Bottle route on the same server, with a body as long as ours."""
    command = [sys.executable, "-m", "benchmark.peers.constant_app"]
    environment = {**site.environment, "THREADS": THREADS, "SERVER": server}
    return Server("bare Bottle route", command, environment, "/predict/intents")


def peer_servers(site: Site) -> list[Server]:
    """Return the peers, each at the settings that served it best on one core."""
    binaries = Path(sys.executable).parent
    bottle = [sys.executable, "-m", "benchmark.peers.bottle_app"]
    gunicorn = f"{binaries}/gunicorn -b 127.0.0.1:$PORT benchmark.peers.flask_app:app"
    uvicorn = f"{binaries}/uvicorn --port $PORT --no-access-log benchmark.peers.fastapi_app:app"
    commands = {
        "Bottle + waitress": [*bottle, "waitress"],
        "Bottle + wsgiref": [*bottle, "wsgiref"],
        # These know their port only once they are started.
        "Flask + gunicorn": ["sh", "-c", f"exec {gunicorn}"],
        "FastAPI + uvicorn": ["sh", "-c", f"exec {uvicorn}"],
    }
    environment = {**site.environment, "PEER_MODEL": str(site.peer_model)}
    first = site.paths(1).read_text("ascii")
    return [Server(name, command, environment, first) for name, command in commands.items()]


def fit_peer_model(site: Site) -> str:
    """Fit what all peers call, once for all parts; returns its accuracy in five folds."""
    told = site.peer_model.with_suffix(".txt")
    if not told.exists():
        model = (str(site.rows), str(site.peer_model))
        said = call(site.environment, "benchmark.peers.model", *model).strip()
        told.write_text(said, "utf-8")
        mine, theirs = f"{site.accuracy:.3f} out of fold", f"{said} in five folds"
        print(f"  accuracy: our student {mine}, the peers' model {theirs}", flush=True)
    return told.read_text("utf-8")
