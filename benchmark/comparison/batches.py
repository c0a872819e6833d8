"""Requests for 1,000 predictions, and requests for one beside them.

Usage: python -m benchmark.comparison.batches --data FILE [--share S]

Measures one POST of 1,000 rows of a table, and one of 1,000 sentences, and how long single requests
take while such a POST follows on another. The server runs on one core, the load on another.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count, cycle
from pathlib import Path
from typing import Any

from benchmark.load.inputs import read_rows
from benchmark.peers.table_data import make_rows
from benchmark.processes import ROOT, exit_on_sigterm, free_port, pin_to_cores
from benchmark.text_table import format_table

from .harness import (
    LOAD_CORE,
    ROUNDS,
    ComparisonSetup,
    Server,
    StoreSetup,
    WorkloadScale,
    prepare_setup,
    serving,
    tree_cpu_seconds,
    veilleuse_server,
)
from .rows import SENT_ROWS, SENT_SEED, prepare_table, row_path

BATCH_ITEMS = 1000
BATCHES = 20
# Single requests, which leave most of the core to the batches.
SINGLE_RATE, SINGLE_CONNECTIONS, SINGLE_SECONDS = 200, 8, 10


@dataclass(frozen=True)
class Batches:
    """The path of POSTs, and inputs of which each makes an item that was never seen."""

    path: str
    inputs: list[dict[str, Any]]
    vary: str

    def bodies(self, first: int = 0) -> Iterator[bytes]:
        """Yield bodies of BATCH_ITEMS items each, counted from `first`; no item comes twice."""
        source = cycle(self.inputs)
        for number in count(first):
            items = [self._unseen(next(source), f"{number}x{at}") for at in range(BATCH_ITEMS)]
            yield json.dumps(items).encode()

    def _unseen(self, inputs: dict[str, Any], mark: str) -> dict[str, Any]:
        value = inputs[self.vary]
        if isinstance(value, str):
            return {**inputs, self.vary: f"{value} {mark}"}
        return {**inputs, self.vary: value + float(mark.replace("x", ".")) / 1e6}


def row_batches() -> Batches:
    """Return batches of rows of the table."""
    rows = [row.inputs for row in make_rows(SENT_ROWS, SENT_SEED)]
    return Batches("/predict/rows", rows, "d")


def sentence_batches(setup: ComparisonSetup) -> Batches:
    """Return batches of sentences, each with one more word."""
    return Batches("/predict/intents", [dict(row) for row in read_rows(setup.rows)], "sentence")


def post_times(server: Server, batches: Batches, posts: int = BATCHES) -> dict[str, float]:
    """Start a server, send it POSTs one after the other, and return figures of one in ms.

    `cpu` is the server's CPU time. The first POST, which warms it up, is not counted.
    """
    port, bodies = free_port(), batches.bodies()
    with serving(server, port) as process, closing(HTTPConnection("127.0.0.1", port)) as client:
        post(client, batches.path, next(bodies))
        before = tree_cpu_seconds(process.pid)
        seconds = [post(client, batches.path, next(bodies)) for _ in range(posts)]
        used = tree_cpu_seconds(process.pid) - before
    return {
        "median": 1000 * statistics.median(seconds),
        "best": 1000 * min(seconds),
        "cpu": 1000 * used / posts,
    }


def post(client: HTTPConnection, path: str, body: bytes) -> float:
    """Send a batch and return the seconds until its answers are there."""
    began = time.perf_counter()
    client.request("POST", path, body, {"Content-Type": "application/json"})
    response = client.getresponse()
    answers = response.read()
    seconds = time.perf_counter() - began
    if response.status != 200 or b'"prediction"' not in answers:  # noqa: PLR2004
        raise RuntimeError(f"{path}: {response.status} {answers[:200]!r}")
    return seconds


def single_times(
    server: Server, paths: Path, seconds: float, batches: Batches | None = None
) -> dict[str, float]:
    """Return the percentiles of single requests in ms, with POSTs beside them or without."""
    port = free_port()
    done = threading.Event()
    with serving(server, port):
        run_singles(port, paths, 1)
        beside = threading.Thread(target=_send_batches, args=(port, batches, done))
        beside.start()
        try:
            return run_singles(port, paths, seconds)
        finally:
            done.set()
            beside.join()


def _send_batches(port: int, batches: Batches | None, done: threading.Event) -> None:
    """Send one batch after the other until it is done."""
    if batches is None:
        return
    with closing(HTTPConnection("127.0.0.1", port)) as client:
        for body in batches.bodies():
            if done.is_set():
                return
            post(client, batches.path, body)


def run_singles(port: int, paths: Path, seconds: float) -> dict[str, float]:
    """Send single requests at a fixed rate, and return their figures."""
    command = [*pin_to_cores(LOAD_CORE), sys.executable, "-m", "benchmark.comparison.client"]
    command += [f"{port}", f"{seconds}", f"{SINGLE_CONNECTIONS}", f"{SINGLE_RATE}", f"{paths}"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def single_paths(setup: StoreSetup) -> Path:
    """Write the paths of single requests, one per line; return the file."""
    if isinstance(setup, ComparisonSetup):
        return setup.paths()
    file = setup.folder / "single-paths"
    file.write_text("\n".join(map(row_path, make_rows(SENT_ROWS, SENT_SEED))), "ascii")
    return file


def measure_batches(setup: StoreSetup, batches: Batches) -> str:
    """Return a table: POSTs on both servers, and single requests with and without them."""
    seconds = setup.scale.apply(SINGLE_SECONDS)
    paths = single_paths(setup)
    rows = [["server", "one POST", "its CPU time", "p99 of single requests", "with POSTs", "more"]]
    for name in ("waitress", "granian"):
        # Without the response cache each single request is scored.
        server = veilleuse_server(setup, name, SERVER=name, CACHE_ENTRIES="0")
        rounds = [
            (
                post_times(server, batches, setup.scale.apply(BATCHES)),
                single_times(server, paths, seconds)["p99"],
                single_times(server, paths, seconds, batches)["p99"],
            )
            for _ in range(ROUNDS)
        ]
        took = statistics.median(posts["median"] for posts, *_ in rounds)
        used = statistics.median(posts["cpu"] for posts, *_ in rounds)
        alone = statistics.median(one[1] for one in rounds)
        beside = statistics.median(one[2] for one in rounds)
        figures = [took, used, alone, beside, beside - alone]
        rows.append([name, *[f"{figure:.1f} ms" for figure in figures]])
    return format_table(rows)


def main() -> None:
    """Measure batches of rows, and of sentences if there are any."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.comparison.batches")
    parser.add_argument("--data", type=Path, help="labelled sentences")
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the seconds, for a quick try"
    )
    arguments = parser.parse_args()
    exit_on_sigterm()
    scale = WorkloadScale(arguments.share)
    with prepare_table(scale) as table:
        print(f"{BATCH_ITEMS:,} rows\n{measure_batches(table, row_batches())}", flush=True)
    if arguments.data:
        with prepare_setup(arguments.data.resolve(), scale) as setup:
            print(f"{BATCH_ITEMS:,} sentences\n{measure_batches(setup, sentence_batches(setup))}")


if __name__ == "__main__":
    main()
