"""Fuzz parsers, two at a time, each for some minutes: python -m tests.fuzz --minutes 10 NAMES."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.fuzz.target import try_bytes
from tests.fuzz.targets.all_targets import TARGETS

FINDINGS = Path("fuzz-findings")
HANG_SECONDS = 20
MEMORY_MIB = 3000
MOST_BYTES = 2**16
_END_SECONDS = 120


def main() -> int:
    """Fuzz the parsers that are named, or all; return 1 if one of them failed."""
    options = _parser().parse_args()
    if options.input:
        return _try_file(options.names[0], options.input)
    FINDINGS.mkdir(exist_ok=True)
    names = options.names or sorted(TARGETS)
    fuzz = partial(_fuzz, minutes=options.minutes, seed=options.seed)
    with ThreadPoolExecutor(options.jobs) as pool:
        failed = [
            name for name, passed in zip(names, pool.map(fuzz, names), strict=True) if not passed
        ]
    print(f"{len(names) - len(failed)} of {len(names)} passed", *failed)
    return 1 if failed else 0


def _fuzz(name: str, minutes: float, seed: int) -> bool:
    """Fuzz a parser in a process of its own; print and return whether it passed."""
    log = FINDINGS / f"{name}.log"
    command = [sys.executable, "-m", "tests.fuzz.process", name, str(minutes * 60), str(seed)]
    began = time.monotonic()
    with log.open("wb") as output:
        try:
            code = subprocess.run(
                command,
                stdout=output,
                stderr=output,
                timeout=minutes * 60 + _END_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    tries = _tries(log.read_text("utf-8", "replace"))
    outcome = "passed" if code == 0 else f"FAILED ({code}), see {log}"
    print(f"{name}: {tries} in {time.monotonic() - began:.0f} s: {outcome}", flush=True)
    return code == 0


def _tries(log: str) -> str:
    """Return how many inputs were tried, as the fuzzer's last report says."""
    counts = re.findall(r"^#([0-9]+)\t", log, re.MULTILINE)
    return f"{int(counts[-1]):,} inputs" if counts else "no input"


def _try_file(name: str, path: Path) -> int:
    print("accepted" if try_bytes(TARGETS[name], path.read_bytes()) else "refused")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *sorted(TARGETS)], help="parsers")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each parser")
    parser.add_argument("--jobs", type=int, default=2, help="parsers at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the mutations")
    parser.add_argument("--input", type=Path, help="try the bytes of this file instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
