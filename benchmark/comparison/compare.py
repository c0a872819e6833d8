"""Where this project stands beside others and beside its floors: benchmark/compare.sh.

Usage: python -m benchmark.comparison.compare [--data FILE] [--share S] [--out DIR]
The same data, cores and load for all: server on one core, load on the other, rounds in turns.
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
from benchmark.processes import allow_connections, call, end_on_sigterm
from benchmark.target.environment import describe_environment

from .harness import (
    CONNECTIONS,
    REPEATED,
    ROUNDS,
    Effort,
    Side,
    Site,
    bare,
    compare,
    fit_peer_model,
    ours,
    peer_servers,
    site,
    turn,
)
from .readme_table import FILE, NEVER, OURS, Row, Standing, draw, table_of

SAMPLE = Path("datasets/intents.csv")
STORE_SECONDS = 5


def stand(site: Site) -> Standing:
    """Measure all sides in turns, and the store by itself."""
    accuracy = fit_peer_model(site)
    few, every = site.paths(REPEATED), site.paths()
    floor = "a bare Bottle route that returns a constant"
    sides = [
        (floor, "", Side(bare(site), few)),
        (OURS, "asked again and again", Side(ours(site, "repeated"), few)),
        (OURS, "stored, not in memory", Side(ours(site, "stored", CACHE_ENTRIES="0"), every)),
        (OURS, NEVER, Side(ours(site, "never"), every, vary=True)),
    ]
    sides += [(one.name, NEVER, Side(one, every, vary=True)) for one in peer_servers(site)]
    found = compare([side for *_, side in sides], turn(site))
    rows = [
        msgspec.convert({"name": name, "asked": asked, **medians(found[side.server.name])}, Row)
        for name, asked, side in sides
    ]
    store = call(
        site.environment, "db", "bench", "intents", "--seconds", f"{STORE_SECONDS}", "--json"
    )
    about = describe_environment(site.rows, {}) | {
        "date": time.strftime("%Y-%m-%d"),
        "load": f"{CONNECTIONS} connections, {ROUNDS} rounds in turns, medians",
        "accuracy": f"student {site.accuracy:.3f} out of fold, peers {accuracy}",
    }
    return Standing(about, rows, json.loads(store)["rate"])


def main() -> None:
    """Measure, print the table, and leave it with its figure in a folder."""
    parser = argparse.ArgumentParser(prog="benchmark/compare.sh")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="labelled sentences")
    parser.add_argument("--share", type=float, default=1.0, help="of the seconds, for a trial")
    parser.add_argument("--out", type=Path, default=REPORTS / "standing")
    given = parser.parse_args()
    allow_connections()
    end_on_sigterm()
    with site(given.data.resolve(), Effort(given.share)) as made:
        found = stand(made)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    draw(found).save(given.out)
    print(table_of(found))
    print(f"also in {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
