"""Compare this project with its peers and with a constant answer: benchmark/compare.sh.

Usage: python -m benchmark.comparison.compare [--data FILE] [--share S] [--out DIR]

All servers get the same data, cores and load, and take turns in each round: the server runs on one
core, the load comes from another.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import msgspec

from benchmark.options import REPORTS
from benchmark.percentile import medians
from benchmark.processes import call, exit_on_sigterm, raise_open_file_limit
from benchmark.target.environment import describe_environment

from .harness import (
    CONNECTIONS,
    REPEATED,
    ROUNDS,
    ComparisonSetup,
    Contender,
    WorkloadScale,
    constant_server,
    fit_peer_model,
    peer_servers,
    prepare_setup,
    round_load,
    run_rounds,
    veilleuse_server,
)
from .readme_table import (
    FILE,
    UNSEEN,
    VEILLEUSE,
    ComparisonResult,
    ServerFigures,
    comparison_chart,
    markdown_table,
)

SAMPLE = Path("datasets/intents.csv")
STORE_SECONDS = 5


def compare_peers(setup: ComparisonSetup) -> ComparisonResult:
    """Measure all servers in turns, and the reads of the store alone."""
    peer_accuracy = fit_peer_model(setup)
    repeated, all_paths = setup.paths(REPEATED), setup.paths()
    constant = constant_server(setup)
    uncached = veilleuse_server(setup, "stored", CACHE_ENTRIES="0")
    contenders = [
        ("a bare Bottle route that returns a constant", "", Contender(constant, repeated)),
        (VEILLEUSE, "repeated", Contender(veilleuse_server(setup, "repeated"), repeated)),
        (VEILLEUSE, "stored, not cached", Contender(uncached, all_paths)),
        (VEILLEUSE, UNSEEN, Contender(veilleuse_server(setup, "unseen"), all_paths, vary="word")),
    ]
    contenders += [
        (server.name, UNSEEN, Contender(server, all_paths, vary="word"))
        for server in peer_servers(setup)
    ]
    figures = run_rounds([contender for *_, contender in contenders], round_load(setup))
    rows = [
        msgspec.convert(
            {"name": name, "asked": inputs, **medians(figures[contender.server.name])},
            ServerFigures,
        )
        for name, inputs, contender in contenders
    ]
    store = call(
        setup.environment, "db", "bench", "intents", "--seconds", f"{STORE_SECONDS}", "--json"
    )
    about = describe_environment(setup.rows, {}) | {
        "date": time.strftime("%Y-%m-%d"),
        "load": f"{CONNECTIONS} connections, medians of {ROUNDS} rounds in turns",
        "accuracy": f"student {setup.accuracy:.3f} out of fold, peers {peer_accuracy}",
    }
    return ComparisonResult(about, rows, json.loads(store)["rate"])


def main() -> None:
    """Compare, print the table, and write it and its chart into a folder."""
    parser = argparse.ArgumentParser(prog="benchmark/compare.sh")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="labelled sentences")
    parser.add_argument(
        "--share", type=float, default=1.0, help="share of the seconds, for a quick try"
    )
    parser.add_argument("--out", type=Path, default=REPORTS / "standing", help="folder to write to")
    arguments = parser.parse_args()
    raise_open_file_limit()
    exit_on_sigterm()
    with prepare_setup(arguments.data.resolve(), WorkloadScale(arguments.share)) as setup:
        result = compare_peers(setup)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    comparison_chart(result).save(arguments.out)
    print(markdown_table(result))
    print(f"written to {arguments.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
