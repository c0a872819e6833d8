"""What grows with the number of records: time and memory of import, status and once.

Usage: python deploy/scale.py [RECORDS ...]; each number in a store of its own, on SQLite unless
DATABASE_URL names an empty PostgreSQL. Enrichers: language and text_profile.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SPEC = """
name = "scale"
kind = "classification"
target = "label"
[fields.sentence]
type = "text"
[enrichers.language]
config.among = ["fr", "en", "de", "es", "it"]
[enrichers.text_profile]
"""
WORDS = (
    "un une le la je cherche trouve réserve train avion hôtel resto demain ce soir vite pas cher"
    " près de Lyon Paris Nantes Lille Brest merci bonjour svp combien quand où billet place film"
)


def main() -> None:
    """Measure each size."""
    print(f"{'records':>9}  {'command':<7} {'seconds':>8} {'records/s':>10} {'peak MiB':>9}")
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), count)


def measure(folder: Path, count: int) -> None:
    """Measure one size in a store of its own."""
    environment = {"DATABASE_URL": f"sqlite:///{folder}/scale.db", **os.environ}
    spec, data = folder / "scale.toml", folder / "scale.csv"
    spec.write_text(SPEC, "utf-8")
    write_sentences(data, count)
    run(environment, "db", "upgrade")
    run(environment, "db", "load", str(spec))
    for command in (["db", "import", "scale", str(data)], ["enrich", "once"], ["db", "status"]):
        seconds, mebibytes = run(environment, *command)
        print(
            f"{count:>9,}  {command[1]:<7} {seconds:>8.1f} {count / seconds:>10,.0f}"
            f" {mebibytes:>9.0f}",
            flush=True,
        )


def write_sentences(path: Path, count: int) -> None:
    """Write so many different sentences."""
    words = WORDS.split()
    chance = random.Random(1)  # noqa: S311  a sample, not a secret
    with path.open("w", encoding="utf-8") as file:
        file.write("sentence,label\n")
        for number in range(count):
            sentence = " ".join(chance.choices(words, k=chance.randint(3, 12)))
            file.write(f"{sentence} {number},\n")


def run(environment: dict[str, str], room: str, *arguments: str) -> tuple[float, float]:
    """Run one command of ours; returns its seconds, and its peak memory with its children's."""
    started = time.monotonic()
    command = [sys.executable, "-m", room, *arguments]
    with subprocess.Popen(  # noqa: S603
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.monotonic() - started, peak(usage)


def peak(usage: resource.struct_rusage) -> float:
    """Return the largest resident size in MiB, of the process or of any child of its."""
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
