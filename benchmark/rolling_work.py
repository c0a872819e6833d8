"""Work of two versions of the code at once on one store: imports, enrichment and training.

Each version imports rows of its own, and both import the same rows. In the end no row may be lost
or doubled, and each has a prediction.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .processes import run_to_end

NAME = "rolling"
SPEC = f"""
name = "{NAME}"
kind = "regression"
target = "price"
id = "number"
[fields.area]
type = "number"
[fields.wish]
type = "text"
[enrichers.text_profile]
"""
ROWS = 300


class RollingWork:
    """The dataset that both versions work on, and what it must hold in the end."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._expected = 0

    def prepare(self, code: Path) -> None:
        """Load the dataset, and train its first model, with one version."""
        spec = self._folder / f"{NAME}.toml"
        spec.write_text(SPEC, "utf-8")
        self._run(code, "db", "load", str(spec))
        self._import(code, self._write_rows())
        self._run(code, "enrich", "once", NAME)
        self._run(code, "enrich", "train", NAME)

    def do_at_once(self, codes: Sequence[Path]) -> None:
        """Import, enrich and train with all versions at the same time."""
        shared = self._write_rows()
        own = [self._write_rows() for _ in codes]
        with ThreadPoolExecutor(len(codes)) as threads:
            done = [
                threads.submit(self._do, code, [file, shared])
                for code, file in zip(codes, own, strict=True)
            ]
        for one in done:
            one.result()

    def _do(self, code: Path, files: Sequence[Path]) -> None:
        for file in files:
            self._import(code, file)
        self._run(code, "enrich", "once", NAME)
        self._run(code, "enrich", "train", NAME)
        self._run(code, "enrich", "once", NAME)

    def find_faults(self, code: Path) -> list[str]:
        """Return what is lost or doubled, or has no prediction, by the export of one version."""
        self._run(code, "enrich", "once", NAME)
        rows = list(csv.DictReader(io.StringIO(self._run(code, "db", "export", NAME, "--csv"))))
        found = Counter(row["number"] for row in rows)
        lost = set(map(str, range(self._expected))) - found.keys()
        doubled = [number for number, times in found.items() if times > 1]
        without = [row["number"] for row in rows if not row.get("prediction")]
        counts = {"lost": len(lost), "doubled": len(doubled), "without a prediction": len(without)}
        status = json.loads(self._run(code, "enrich", "status", "--json"))
        for dataset in status["datasets"]:
            counts[f"quarantined in {dataset['name']}"] = dataset["quarantined"]
        return [f"{count} {name}" for name, count in counts.items() if count]

    def describe(self) -> str:
        """Return how much was imported."""
        return f"{self._expected:,} rows"

    def _write_rows(self) -> Path:
        first, self._expected = self._expected, self._expected + ROWS
        file = self._folder / f"{NAME}-{first}.csv"
        lines = [
            f"{at},{at % 90},a room with {at % 7} windows number {at},{3 * (at % 90) + at % 7}"
            for at in range(first, first + ROWS)
        ]
        file.write_text("\n".join(["number,area,wish,price", *lines, ""]), "utf-8")
        return file

    def _import(self, code: Path, file: Path) -> None:
        self._run(code, "db", "import", NAME, str(file))

    def _run(self, code: Path, *arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        return run_to_end(" ".join(arguments), command, self._environment, code)
