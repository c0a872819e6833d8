"""Both samples' specs on real data, in stores of their own: five folds, then what is served.

Usage: python deploy/measure.py FOLDER, which holds intents-fr.json and customers.csv.
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
    """Import, enrich, train and report each."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("name the folder: make measure REAL_DATA=folder")
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


def call(room: str, *arguments: str) -> None:
    """Run one command of ours and say how long it took."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", room, *arguments], cwd=ROOT, check=True)  # noqa: S603
    print(f"  ({room} {arguments[0]}: {time.monotonic() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
