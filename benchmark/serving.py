"""What the web process holds, beside the server under it and beside its peers: `make bench-serve`.

Usage: python -m benchmark.serving --data FILE [ratios] [peers] [memory] [start]; all if none
Servers run on one core and the load on another. All sides of a part take turns in each round,
since the machine may be a noisy one; what is told are medians.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command import (
    ROOT,
    answers,
    call,
    free_port,
    running_command,
    tree_mebibytes,
    wait_until,
)

SERVER_CORE, LOAD_CORE = "0", "1"
ROUNDS = 5
ROUND_SECONDS = 5
WARM_SECONDS = 1
CONNECTIONS = 32
REPEATED = 200
THREADS = os.environ.get("WEB_THREADS", "4")


@dataclass(frozen=True)
class Site:
    """A store with a trained dataset, and sentences to ask for."""

    environment: dict[str, str]
    folder: Path
    sentences: list[str]
    accuracy: float

    @property
    def peer_model(self) -> Path:
        """Where the model is that all peers call."""
        return self.folder / "peer.joblib"

    def paths(self, count: int | None = None) -> Path:
        """Return a file with a path a line."""
        file = self.folder / f"paths-{count or 'all'}"
        asked = (urllib.parse.quote_plus(one) for one in self.sentences[:count])
        file.write_text("\n".join(f"/predict/intents?sentence={one}" for one in asked), "ascii")
        return file


@contextmanager
def site(data: Path) -> Iterator[Site]:
    """Give a store of the sample dataset with this data, enriched, trained and enriched again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = os.environ.get("DATABASE_URL", f"sqlite:///{folder}/bench.db")
        environment = {**os.environ, "DATABASE_URL": url}
        call(environment, "db", "upgrade")
        call(environment, "db", "load", "datasets/intents.toml")
        call(environment, "db", "import", "intents", str(data))
        call(environment, "enrich", "once")
        call(environment, "enrich", "train", "intents")
        call(environment, "enrich", "once")
        found = json.loads(call(environment, "enrich", "models", "intents", "--json"))
        rows = call(environment, "db", "export", "intents").splitlines()
        sentences = [json.loads(row)["inputs"]["sentence"] for row in rows]
        yield Site(environment, folder, sentences, _accuracy(found))


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
    command = ["/usr/bin/taskset", "-c", SERVER_CORE, *server.command]
    with running_command({**server.environment, "PORT": str(port)}, command) as process:
        wait_until("the server", lambda: answers(port, server.ready), 0.02)
        yield process


def load(port: int, paths: Path, vary: str = "", seconds: float = ROUND_SECONDS) -> dict[str, Any]:
    """Ask as fast as it can over some connections."""
    command = ["/usr/bin/taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}"]
    command += [f"-d{seconds:g}s", "--latency", "-s", str(ROOT / "benchmark/wrk.lua")]
    done = subprocess.run(  # noqa: S603
        [*command, f"http://127.0.0.1:{port}"],
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


def compare(sides: list[Side]) -> dict[str, list[dict[str, Any]]]:
    """Load each side in turn, five times; each server starts anew each time."""
    found: dict[str, list[dict[str, Any]]] = {side.server.name: [] for side in sides}
    for number in range(ROUNDS):
        for side in sides:
            port = free_port()
            with serving(side.server, port):
                vary = f"{number}x" if side.vary else ""
                load(port, side.paths, vary and f"w{vary}", WARM_SECONDS)
                found[side.server.name].append(load(port, side.paths, vary))
    return found


def show(found: dict[str, list[dict[str, Any]]], floor: str) -> None:
    """Print medians, and each side's ratio to the floor's."""
    base = statistics.median(one["rate"] for one in found[floor])
    for name, rounds in found.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
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


def bare(site: Site) -> Server:
    """Return a bare Bottle route on waitress, with a body as long as ours."""
    command = [sys.executable, "-m", "benchmark.peers.bare"]
    environment = {**site.environment, "THREADS": THREADS}
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


def fit_peer_model(site: Site) -> None:
    """Fit what all peers call, and print its accuracy; once for all parts."""
    if site.peer_model.exists():
        return
    rows = site.folder / "rows.json"
    rows.write_text(call(site.environment, "db", "export", "intents"), "utf-8")
    command = [sys.executable, "-m", "benchmark.peers.model", str(rows), str(site.peer_model)]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603
    print(f"  our student's accuracy, out of fold: {site.accuracy:.3f}")


def ratios(site: Site) -> None:
    """Repeated, stored and never-seen inputs beside a bare Bottle route on the same waitress."""
    few, every = site.paths(REPEATED), site.paths()
    floor = bare(site)
    sides = [
        Side(floor, few),
        Side(ours(site, "repeated"), few),
        Side(ours(site, "stored, not in memory", CACHE_ENTRIES="0"), every),
        Side(ours(site, "never seen"), every, vary=True),
    ]
    show(compare(sides), floor.name)


def peers(site: Site) -> None:
    """Inputs never seen, beside peers that call a scikit-learn model for each request."""
    fit_peer_model(site)
    others = peer_servers(site)
    every = site.paths()
    found = compare([Side(server, every, vary=True) for server in (ours(site), *others)])
    best = max(others, key=lambda one: statistics.median(it["rate"] for it in found[one.name]))
    show(found, best.name)


def memory(site: Site) -> None:
    """PSS of the process tree: at the start, after many varied requests, and with two processes."""
    for name, count in (("one process", "1"), ("two processes", "2")):
        port = free_port()
        with serving(ours(site, WEB_CONCURRENCY=count), port) as process:
            time.sleep(1)
            first = tree_mebibytes(process.pid)
            load(port, site.paths(), "m", 20)
            time.sleep(1)
            print(
                f"  {name:<28} {first:.1f} MiB at the start,"
                f" {tree_mebibytes(process.pid):.1f} MiB after 20 s of inputs never seen",
                flush=True,
            )


def start(site: Site) -> None:
    """Seconds from the start to the first prediction."""
    fit_peer_model(site)
    first = site.paths(1).read_text("ascii")
    for server in (dataclasses.replace(ours(site), ready=first), *peer_servers(site)):
        seconds = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            with serving(server, free_port()):
                seconds.append(time.monotonic() - began)
        print(f"  {server.name:<28} {statistics.median(seconds):.2f} s", flush=True)


PARTS: dict[str, Callable[[Site], None]] = {
    "ratios": ratios,
    "peers": peers,
    "memory": memory,
    "start": start,
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.serving")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=list(PARTS))
    parser.add_argument("--data", type=Path, required=True, help="labelled sentences")
    given = parser.parse_args()
    with site(given.data) as made:
        for name in given.parts:
            print(f"{name}: {PARTS[name].__doc__}", flush=True)
            PARTS[name](made)


if __name__ == "__main__":
    main()
