"""Measure the web process against its peers and against a constant answer: `make bench-serve`.

Usage: python -m benchmark.comparison.serving --data FILE [--share S] [--varied N] [PART...]
Parts, all by default: ratios peers closed granian threads start users crowd connections rows

All parts but `rows` need labelled sentences in FILE; `rows` makes a table of its own.

`--share 0.02` makes a quick try: it scales all users, connections and seconds, to at least one
second, and keeps the five rounds. `--varied` is the number of unseen inputs in `connections`; the
documented claim is for 5000000. It needs Debian's wrk, and Debian's nginx for `crowd`.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmark.processes import exit_on_sigterm, free_port, raise_open_file_limit

from .connections import connections
from .harness import (
    REPEATED,
    ROUNDS,
    ComparisonSetup,
    Contender,
    Vary,
    WorkloadScale,
    WrkLoad,
    prepare_setup,
    print_medians,
    round_load,
    run_rounds,
    serving,
    veilleuse_server,
)
from .open_load import crowd, users
from .peer_servers import constant_server, print_accuracies, text_peers
from .rows import prepare_table, rows

CLOSED_CONNECTIONS, CLOSED_SECONDS, CLOSED_TIMEOUT_SECONDS = 1000, 10, 30


def ratios(setup: ComparisonSetup) -> None:
    """Repeated, stored and unseen inputs, and a bare Bottle route on the same waitress."""
    repeated, all_paths = setup.paths(REPEATED), setup.paths()
    baseline = constant_server(setup)
    contenders = [
        Contender(baseline, repeated),
        Contender(veilleuse_server(setup, "repeated"), repeated),
        Contender(veilleuse_server(setup, "stored, not cached", CACHE_ENTRIES="0"), all_paths),
        Contender(veilleuse_server(setup, "unseen"), all_paths, vary="word"),
    ]
    print_medians(run_rounds(contenders, round_load(setup)), baseline.name)


def peers(setup: ComparisonSetup) -> None:
    """Unseen inputs, and peers that call a model for each request."""
    print_accuracies(setup)
    others = text_peers(setup)
    all_paths = setup.paths()
    contenders = [
        Contender(server, all_paths, vary="word") for server in (veilleuse_server(setup), *others)
    ]
    figures = run_rounds(contenders, round_load(setup))
    best = max(
        others,
        key=lambda server: statistics.median(each["rate"] for each in figures[server.name]),
    )
    print_medians(figures, best.name)


def closed(setup: ComparisonSetup) -> None:
    """1,000 connections that send unseen inputs at once, and peers."""
    print_accuracies(setup)
    load = WrkLoad(
        setup.scale.apply(CLOSED_SECONDS),
        setup.scale.apply(CLOSED_CONNECTIONS),
        CLOSED_TIMEOUT_SECONDS,
    )
    servers, all_paths = [veilleuse_server(setup), *text_peers(setup)], setup.paths()
    contenders = [Contender(server, all_paths, vary="word") for server in servers]
    print_medians(run_rounds(contenders, load), servers[0].name)


def granian(setup: ComparisonSetup) -> None:
    """Repeated inputs on granian, and a bare Bottle route on the same granian."""
    baseline, repeated = constant_server(setup, "granian"), setup.paths(REPEATED)
    contenders = [
        Contender(baseline, repeated),
        Contender(veilleuse_server(setup, "repeated", SERVER="granian"), repeated),
    ]
    print_medians(run_rounds(contenders, round_load(setup)), baseline.name)


def threads(setup: ComparisonSetup) -> None:
    """Unseen, stored and repeated inputs on 1, 2, 4 and 8 threads; × compares with 1 thread."""
    repeated, all_paths = setup.paths(REPEATED), setup.paths()
    workloads: list[tuple[str, Path, Vary, dict[str, str]]] = [
        ("unseen", all_paths, "word", {}),
        ("stored", all_paths, "", {"CACHE_ENTRIES": "0"}),
        ("repeated", repeated, "", {}),
    ]
    for name, paths, vary, settings in workloads:
        contenders = [
            Contender(
                veilleuse_server(setup, f"{name}, threads: {count}", WEB_THREADS=count, **settings),
                paths,
                vary,
            )
            for count in ("1", "2", "4", "8")
        ]
        print_medians(run_rounds(contenders, round_load(setup)), contenders[0].server.name)


def start(setup: ComparisonSetup) -> None:
    """Seconds from the start of the process to its first prediction."""
    print_accuracies(setup)
    first_path = setup.paths(1).read_text("ascii")
    veilleuse = dataclasses.replace(veilleuse_server(setup), ready=first_path)
    for server in (veilleuse, *text_peers(setup)):
        seconds = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            with serving(server, free_port()):
                seconds.append(time.monotonic() - began)
        print(f"  {server.name:<28} {statistics.median(seconds):.2f} s", flush=True)


PARTS: dict[str, Callable[[ComparisonSetup], None]] = {
    "ratios": ratios,
    "peers": peers,
    "closed": closed,
    "granian": granian,
    "threads": threads,
    "start": start,
    "users": users,
    "crowd": crowd,
    # The last of these parts, since it fills the store.
    "connections": connections,
}
ROWS = "rows"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmark.comparison.serving")
    add = parser.add_argument
    add("parts", nargs="*", choices=[[], *PARTS, ROWS], default=[*PARTS, ROWS])
    add("--data", type=Path, help="labelled sentences, which all parts but rows need")
    add(
        "--share",
        type=float,
        default=1.0,
        help="share of the users, connections and seconds, for a quick try",
    )
    add(
        "--varied",
        type=int,
        default=WorkloadScale.varied,
        help="number of unseen inputs in connections",
    )
    return parser


def main() -> None:
    """Measure the parts that the command line names."""
    parser = _parser()
    arguments = parser.parse_args()
    raise_open_file_limit()
    exit_on_sigterm()
    scale = WorkloadScale(arguments.share, arguments.varied)
    names = [name for name in arguments.parts if name != ROWS]
    if names:
        if not arguments.data:
            parser.error("--data is required for all parts but rows")
        _measure_sentences(arguments.data, scale, names)
    if ROWS in arguments.parts:
        print(f"{ROWS}: {rows.__doc__}", flush=True)
        with prepare_table(scale) as table:
            rows(table)


def _measure_sentences(data: Path, scale: WorkloadScale, names: list[str]) -> None:
    with prepare_setup(data, scale) as setup:
        for name in names:
            print(f"{name}: {PARTS[name].__doc__}", flush=True)
            PARTS[name](setup)


if __name__ == "__main__":
    main()
