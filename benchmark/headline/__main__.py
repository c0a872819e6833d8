"""Compare this project with its peers, and check its promises, in one run: benchmark/compare.sh.

Usage: python -m benchmark.headline [--data FILE] [--share S] [--rounds N] [--out DIR]

All servers get the same data, cores and load, and take turns in each round: the server runs on one
core, the load comes from another.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmark.comparison.connections import SETTLE_SECONDS, connected_mebibytes
from benchmark.comparison.enrichment import overhead_microseconds
from benchmark.comparison.harness import (
    CONNECTIONS,
    LOAD_CORE,
    ROUNDS,
    ComparisonSetup,
    WorkloadScale,
    WrkLoad,
    prepare_setup,
    run_rounds,
    serving,
    veilleuse_server,
)
from benchmark.comparison.rows import prepare_table
from benchmark.options import REPORTS
from benchmark.percentile import medians
from benchmark.processes import (
    call,
    exit_on_sigterm,
    free_port,
    raise_open_file_limit,
    tree_mebibytes,
)
from benchmark.target.environment import describe_environment

from .chart import comparison_chart
from .contenders import Entry, row_entries, sentence_entries
from .result import HeadlineResult, ServerFigures, write_result
from .tables import docs_section

SAMPLE = Path("datasets/intents.csv")
# Fifteen servers and five rounds of these take about seven minutes.
LOAD_SECONDS = 3
STORE_SECONDS = 5
# As make bench-enrich does.
ENRICHERS, ENRICHED_RECORDS = "language,text_profile", 20_000


def measure_headline(data: Path, scale: WorkloadScale, rounds: int) -> HeadlineResult:
    """Measure everything that is promised, in one run."""
    with prepare_setup(data, scale) as setup, prepare_table(scale) as table:
        entries = [*sentence_entries(setup), *row_entries(table)]
        load = WrkLoad(scale.apply(LOAD_SECONDS))
        with on_load_core():
            figures = run_rounds([entry.contender for entry in entries], load, rounds)
            start, connected = _web_memory(setup, rounds)
        about = describe_environment(setup.rows, {}) | {
            "date": time.strftime("%Y-%m-%d"),
            "load": f"{CONNECTIONS} connections for {load.seconds:g} s,"
            f" medians of {rounds} rounds in turns",
        }
        return HeadlineResult(
            about,
            [_server_figures(entry, figures[entry.contender.server.name]) for entry in entries],
            start,
            connected,
            _enrichment_microseconds(scale, rounds),
            _store_rate(setup),
        )


@contextmanager
def on_load_core() -> Iterator[None]:
    """Keep this process, which sends POSTs, off the server's core while the block runs."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, LOAD_CORE)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _server_figures(entry: Entry, rounds: list[dict[str, Any]]) -> ServerFigures:
    known = {"name": entry.name, "inputs": entry.inputs, "quality": entry.quality}
    failures = sum(measured["failures"] for measured in rounds)
    return msgspec.convert(medians(rounds) | known | {"failures": failures}, ServerFigures)


def _web_memory(setup: ComparisonSetup, rounds: int) -> tuple[float, float]:
    """Return the memory of one process at its start, and with 1,000 connections."""
    readings = [_memory_once(setup, f"m{number}x") for number in range(rounds)]
    start, connected = zip(*readings, strict=True)
    return statistics.median(start), statistics.median(connected)


def _memory_once(setup: ComparisonSetup, mark: str) -> tuple[float, float]:
    port = free_port()
    with serving(veilleuse_server(setup), port) as process:
        time.sleep(SETTLE_SECONDS)
        return tree_mebibytes(process.pid), connected_mebibytes(setup, port, process.pid, mark)


def _enrichment_microseconds(scale: WorkloadScale, rounds: int) -> float:
    records = scale.apply(ENRICHED_RECORDS)
    return statistics.median(overhead_microseconds(ENRICHERS, records) for _ in range(rounds))


def _store_rate(setup: ComparisonSetup) -> float:
    seconds = ("--seconds", f"{STORE_SECONDS}")
    report = call(setup.environment, "db", "bench", "intents", *seconds, "--json")
    return float(json.loads(report)["rate"])


def main() -> None:
    """Compare, print the tables, and write the figures and their chart into a folder."""
    parser = argparse.ArgumentParser(prog="benchmark/compare.sh")
    add = parser.add_argument
    add("--data", type=Path, default=SAMPLE, help="labelled sentences")
    add("--share", type=float, default=1.0, help="share of the seconds, for a quick try")
    add("--rounds", type=int, default=ROUNDS, help="rounds, of which the median counts")
    add("--out", type=Path, default=REPORTS / "standing", help="folder to write to")
    arguments = parser.parse_args()
    raise_open_file_limit()
    exit_on_sigterm()
    scale = WorkloadScale(arguments.share)
    result = measure_headline(arguments.data.resolve(), scale, arguments.rounds)
    write_result(result, arguments.out)
    comparison_chart(result).save(arguments.out)
    print(docs_section(result))
    print(f"written to {arguments.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
