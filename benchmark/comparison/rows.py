"""Rows of a table that were never seen: the web process, and peers that serve compiled trees."""

from __future__ import annotations

import json
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmark.load.inputs import predict_path
from benchmark.peers.table_data import Row, held_out_rows, make_rows
from benchmark.percentile import medians
from benchmark.processes import call, environment_of, free_port, tree_mebibytes
from benchmark.text_table import format_table

from .harness import (
    Contender,
    Server,
    StoreSetup,
    WorkloadScale,
    round_load,
    run_rounds,
    serving,
    veilleuse_server,
)
from .peer_servers import table_peers

SPEC = """
name = "rows"
kind = "regression"
target = "y"
[fields.a]
type = "number"
[fields.b]
type = "number"
[fields.c]
type = "choice"
choices = ["x", "y", "z"]
[fields.d]
type = "number"
[fields.e]
type = "choice"
choices = ["p", "q", "r"]
"""
SENT_ROWS, SENT_SEED = 2_000, 3
SETTLE_SECONDS = 2
ALIVE = "/livez"


@dataclass(frozen=True)
class TableSetup(StoreSetup):
    """A store with a trained table, and the environment of the same store before training."""

    untrained: dict[str, str]


@contextmanager
def prepare_table(scale: WorkloadScale) -> Iterator[TableSetup]:
    """Import the table into a new store and train a model; yield the setup."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec, data = folder / "rows.toml", folder / "rows.csv"
        spec.write_text(SPEC, "utf-8")
        untrained = environment_of(f"sqlite:///{folder}/untrained.db")
        environment = environment_of(f"sqlite:///{folder}/trained.db")
        call(untrained, "benchmark.peers.table_data", str(data))
        call(untrained, "db", "upgrade")
        call(untrained, "db", "load", str(spec))
        call(untrained, "db", "import", "rows", str(data))
        shutil.copy(folder / "untrained.db", folder / "trained.db")
        print(call(environment, "enrich", "train", "rows"), end="", flush=True)
        yield TableSetup(scale, environment, folder, untrained)


def rows(setup: TableSetup) -> None:
    """Rows of a table that were never seen, at equal error, and peers that serve compiled trees."""
    ours = [
        veilleuse_server(setup, f"Veilleuse on {server}", SERVER=server)
        for server in ("waitress", "granian")
    ]
    errors = {server.name: served_error(server) for server in ours}
    paths = row_paths(setup)
    others = table_peers(setup, errors[ours[0].name], first_path(paths))
    errors |= {server.name: served_error(server) for server in others}
    contenders = [Contender(server, paths, "decimals") for server in (*ours, *others)]
    figures = run_rounds(contenders, round_load(setup))
    print(rows_table(figures, errors, [server.name for server in others]), flush=True)
    for name, environment in (("with", setup.environment), ("without", setup.untrained)):
        server = Server(name, ours[0].command, {**ours[0].environment, **environment}, ALIVE)
        print(f"  {start_mebibytes(server):.1f} MiB at the start {name} a model", flush=True)


def row_path(row: Row) -> str:
    """Return the path of a request; it ends in a decimal number, so that digits can be added."""
    others = {name: value for name, value in row.inputs.items() if name != "d"}
    return f"{predict_path('rows', others)}&d={row.d:.3f}"


def row_paths(setup: TableSetup) -> Path:
    """Write the paths of the rows to send, one per line; return the file."""
    file = setup.folder / "row-paths"
    file.write_text("\n".join(map(row_path, make_rows(SENT_ROWS, SENT_SEED))), "ascii")
    return file


def first_path(paths: Path) -> str:
    """Return the first path of a file of paths."""
    return paths.read_text("ascii").partition("\n")[0]


def served_error(server: Server) -> float:
    """Return the root mean square error of a server's answers on the held-out rows."""
    port = free_port()
    held_out = held_out_rows()
    with serving(server, port), closing(HTTPConnection("127.0.0.1", port)) as connection:
        answers = [_ask(connection, row_path(row)) for row in held_out]
    squares = ((answer - row.y) ** 2 for answer, row in zip(answers, held_out, strict=True))
    return math.sqrt(statistics.fmean(squares))


def _ask(connection: HTTPConnection, path: str) -> float:
    connection.request("GET", path)
    prediction = json.loads(connection.getresponse().read())["prediction"]
    return float(prediction)


def rows_table(
    figures: dict[str, list[dict[str, Any]]], errors: dict[str, float], peers: list[str]
) -> str:
    """Return the medians of each server, its error, and what it reaches of the best peer.

    On a busy machine the requests per second of CPU time say more than the rate, since the threads
    of a server with many get more of the core than the one thread of another.
    """
    found = {name: medians(rounds) for name, rounds in figures.items()}
    for median in found.values():
        median["per_cpu_second"] = 1e6 / median["cpu_microseconds"]
    best = {
        figure: max(found[name][figure] for name in peers) for figure in ("rate", "per_cpu_second")
    }
    heading = ["server", "requests/s", "of the best peer", "p99"]
    heading += ["requests per CPU second", "of the best peer", "RMSE", "memory", "failures"]
    lines = [
        [
            name,
            f"{median['rate']:,.0f}",
            f"{median['rate'] / best['rate']:.2f} ×",
            f"{median['p99']:.1f} ms",
            f"{median['per_cpu_second']:,.0f}",
            f"{median['per_cpu_second'] / best['per_cpu_second']:.2f} ×",
            f"{errors[name]:.3f}",
            f"{median['mebibytes']:.0f} MiB",
            f"{sum(measured['failures'] for measured in figures[name])}",
        ]
        for name, median in found.items()
    ]
    return format_table([heading, *lines])


def start_mebibytes(server: Server) -> float:
    """Return the memory of a server's processes shortly after its start."""
    port = free_port()
    with serving(server, port) as process:
        time.sleep(SETTLE_SECONDS)
        return tree_mebibytes(process.pid)
