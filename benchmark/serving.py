"""What the web process holds, beside the server under it and beside its peers: `make bench-serve`.

Usage: python -m benchmark.serving [--data FILE] [ratios] [peers] [crowd] [memory] [start]
Servers run on one core and the load on another. All sides of a part take turns in each round,
since the machine may be a noisy one; what is told are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command import ROOT, call, free_port, is_ready, wait_until

SERVER_CORE, LOAD_CORE = "0", "1"
ROUNDS = 5
ROUND_SECONDS = 5
WARM_SECONDS = 1
CONNECTIONS = 32
REPEATED = 200
NO_MEMORY = {"CACHE_ENTRIES": "0"}
# Unseen inputs are counted, logged and queued as ever, but the queue is not to be the measure.
THREADS = os.environ.get("WEB_THREADS", "4")


@dataclass(frozen=True)
class Site:
    """A store with a trained dataset, and sentences to ask for."""

    environment: dict[str, str]
    folder: Path
    sentences: list[str]
    accuracy: float

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


@contextmanager
def serving(
    command: list[str], environment: dict[str, str], port: int, ready: str = "/readyz"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on its core for as long as the block does."""
    log = Path(environment.get("SERVER_LOG", os.devnull))
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603
            ["/usr/bin/taskset", "-c", SERVER_CORE, *command],
            cwd=ROOT,
            env={**environment, "PORT": str(port)},
            stdout=file,
            stderr=file,
        )
        try:
            wait_until("the server", lambda: answers(port, ready), 0.02)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def answers(port: int, path: str) -> bool:
    """Tell whether a server answers."""
    if path == "/readyz":
        return is_ready(port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as reply:
            return bool(reply.status == 200)  # noqa: PLR2004
    except OSError:
        return False


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
    """A server and how it is asked."""

    name: str
    command: list[str]
    environment: dict[str, str]
    paths: Path
    vary: bool = False
    ready: str = "/readyz"


def compare(sides: list[Side]) -> dict[str, list[dict[str, Any]]]:
    """Load each side in turn, five times; each server starts anew each time."""
    found: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    for number in range(ROUNDS):
        for side in sides:
            port = free_port()
            with serving(side.command, side.environment, port, side.ready):
                vary = f"{number}x" if side.vary else ""
                load(port, side.paths, vary and f"w{vary}", WARM_SECONDS)
                found[side.name].append(load(port, side.paths, vary))
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


def ours(site: Site, **settings: str) -> tuple[list[str], dict[str, str]]:
    """Return our command and its environment."""
    environment = {"WEB_THREADS": THREADS, **site.environment, **settings}
    return [sys.executable, "-m", "serve"], environment


def bare(site: Site) -> tuple[list[str], dict[str, str]]:
    """Return a bare Bottle route on waitress, with a body as long as ours."""
    environment = {**site.environment, "THREADS": THREADS}
    return [sys.executable, "-m", "benchmark.peers.bare"], environment


def ratios(site: Site) -> None:
    """Repeated, stored and never-seen inputs beside a bare Bottle route on the same waitress."""
    few, every = site.paths(REPEATED), site.paths()
    show(
        compare(
            [
                Side("bare Bottle route", *bare(site), few, ready="/predict/intents"),
                Side("repeated", *ours(site), few),
                Side("stored, not in memory", *ours(site, **NO_MEMORY), every),
                Side("never seen", *ours(site), every, vary=True),
            ]
        ),
        "bare Bottle route",
    )


def start(site: Site) -> None:
    """Seconds from the start to the first prediction."""
    first = site.paths(1).read_text("ascii")
    for name, (command, environment) in (("ours", ours(site)), *peer_commands(site)):
        seconds = []
        for _ in range(ROUNDS):
            port = free_port()
            began = time.monotonic()
            with serving(command, environment, port, first):
                seconds.append(time.monotonic() - began)
        print(f"  {name:<28} {statistics.median(seconds):.2f} s", flush=True)


def memory(site: Site) -> None:
    """PSS of the process tree: at the start, after many varied requests, and with two processes."""
    for name, settings in (("one process", {}), ("two processes", {"WEB_CONCURRENCY": "2"})):
        command, environment = ours(site, **settings)
        port = free_port()
        with serving(command, environment, port) as process:
            time.sleep(1)
            first = tree_mebibytes(process.pid)
            load(port, site.paths(), "m", 20)
            time.sleep(1)
            print(
                f"  {name:<28} {first:.1f} MiB at the start,"
                f" {tree_mebibytes(process.pid):.1f} MiB after 20 s of inputs never seen",
                flush=True,
            )


def tree_mebibytes(pid: int) -> float:
    """Return the memory of a process and its children; what they share is counted once."""
    kibibytes, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        for line in Path(f"/proc/{one}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                kibibytes += int(line.split()[1])
        for thread in Path(f"/proc/{one}/task").iterdir():
            waiting += [int(child) for child in (thread / "children").read_text("ascii").split()]
    return kibibytes / 1024


def peer_commands(site: Site) -> list[tuple[str, tuple[list[str], dict[str, str]]]]:
    """Return the peers, each at the settings that served it best on one core."""
    environment = {**site.environment, "PEER_MODEL": _peer_model(site)}
    binaries = Path(sys.executable).parent
    gunicorn = f"{binaries}/gunicorn -b 127.0.0.1:$PORT benchmark.peers.flask_app:app"
    uvicorn = f"{binaries}/uvicorn --port $PORT --no-access-log benchmark.peers.fastapi_app:app"
    bottle = [sys.executable, "-m", "benchmark.peers.bottle_app"]
    return [
        ("Bottle + waitress", ([*bottle, "waitress"], environment)),
        ("Bottle + wsgiref", ([*bottle, "wsgiref"], environment)),
        ("Flask + gunicorn", (_shell(gunicorn), environment)),
        ("FastAPI + uvicorn", (_shell(uvicorn), environment)),
    ]


def _shell(command: str) -> list[str]:
    """Return a command that knows its port only once it is started."""
    return ["sh", "-c", f"exec {command}"]


def peers(site: Site) -> None:
    """Inputs never seen, beside peers that call a scikit-learn model for each request."""
    rows = site.folder / "rows.json"
    rows.write_text(call(site.environment, "db", "export", "intents"), "utf-8")
    command = [sys.executable, "-m", "benchmark.peers.model", str(rows), _peer_model(site)]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603
    print(f"  our student's accuracy, out of fold: {site.accuracy:.3f}")
    every = site.paths()
    first = site.paths(1).read_text("ascii")
    sides = [
        Side(name, command, environment, every, vary=True, ready=first)
        for name, (command, environment) in peer_commands(site)
    ]
    found = compare([Side("ours", *ours(site), every, vary=True), *sides])
    best = max(sides, key=lambda side: statistics.median(one["rate"] for one in found[side.name]))
    show(found, best.name)


def _peer_model(site: Site) -> str:
    return str(site.folder / "peer.joblib")


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
