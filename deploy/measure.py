"""Train the samples' specs on real data in a temporary store, and print the metrics.

Usage: python deploy/measure.py FOLDER; the folder must hold intents-fr.json and customers.csv.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = {"intents": "intents-fr.json", "customers": "customers.csv"}


def main() -> None:
    """Import, enrich and train both datasets, then print the status."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("REAL_DATA: missing; make measure REAL_DATA=folder")
    data = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/measure.db"
        call("db", "upgrade")
        for name, file in FILES.items():
            call("db", "load", f"datasets/{name}.toml")
            call("db", "import", name, str(data / file))
            call("enrich", "once", name)
            call("enrich", "train", name)
            call("enrich", "once", name)
        call("db", "status")


def call(package: str, *arguments: str) -> None:
    """Run `python -m PACKAGE` and print how long it took."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", package, *arguments], cwd=ROOT, check=True)  # noqa: S603
    print(f"  ({package} {arguments[0]}: {time.monotonic() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
