"""Print the quality of our models compared with scikit-learn's, on public tables.

Usage: python -m deploy.quality [TABLE ...] [--json FILE] [--seed N]

Each table is divided into training rows and 20 % held-out rows. The peer is scikit-learn's
histogram gradient boosting with defaults and native categories. Ours is trained by command, in a
store of its own: infer, load, import, train, evaluate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from .made_up_tables import MADE_UP_TABLES
from .public_tables import PUBLIC_TABLES
from .report import report_lines
from .result import Result, measure

TABLES = {**PUBLIC_TABLES, **MADE_UP_TABLES}


def main() -> None:
    """Measure the tables and print the report; exit with 1 if a command failed on one."""
    options = parse_options()
    began = time.monotonic()
    measured = [_try(name, options.seed) for name in options.tables or TABLES]
    results = [one for one in measured if one is not None]
    if results:
        print("\n".join(["", *report_lines(results)]))
    print(f"{len(results)} tables in {time.monotonic() - began:.0f} s")
    if options.json:
        rows = [asdict(one) | {"verdict": one.comparison.verdict} for one in results]
        options.json.write_text(json.dumps(rows, indent=1, ensure_ascii=False), "utf-8")
    sys.exit(len(results) < len(measured))


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.quality")
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help=f"all by default: {', '.join(TABLES)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE too")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the hold-out; default 0")
    options = parser.parse_args()
    if unknown := set(options.tables) - set(TABLES):
        parser.error(f"unknown table {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    return options


def _try(name: str, seed: int) -> Result | None:
    """Return the result of a table, None if one of our commands failed on it."""
    print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
    try:
        result = measure(TABLES[name](), seed)
    except subprocess.CalledProcessError as error:
        print(f"failed: {' '.join(error.cmd[1:])}\n{error.stderr}", file=sys.stderr)
        return None
    print(f"{result.comparison.verdict}, {result.train_seconds:.1f} s", file=sys.stderr)
    return result


if __name__ == "__main__":
    main()
