"""Fuzz one parser in this process: python -m tests.fuzz.process NAME SECONDS SEED."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["db", "serve", "enrich"]):
    from tests.fuzz.__main__ import FINDINGS, HANG_SECONDS, MEMORY_MIB, MOST_BYTES
    from tests.fuzz.target import FuzzTarget, try_bytes
    from tests.fuzz.targets.all_targets import TARGETS


def main(name: str, seconds: str, seed: str) -> None:
    """Fuzz until the time is over, or until the parser fails; does not return."""
    target = TARGETS[name]
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    for number, data in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(data)
    options = {
        "max_total_time": str(int(float(seconds))),
        "seed": seed,
        "timeout": str(HANG_SECONDS),
        "rss_limit_mb": str(MEMORY_MIB),
        "max_len": str(MOST_BYTES),
        "artifact_prefix": f"{FINDINGS}/{name}-",
        "print_final_stats": "1",
    }
    arguments = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], partial(_try, target))
    atheris.Fuzz()


def _try(target: FuzzTarget, data: bytes) -> None:
    """Try bytes; the fuzzer does not use the result."""
    try_bytes(target, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
