"""`db import`, killed at random moments and run again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from db.files.exporter import export_rows
from db.records.dataset import Dataset
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, NumberField
from db.store.store import Store
from tests.conftest import ROOT, command_environment, register
from tests.processes import PATIENCE_SECONDS

from .conftest import FULL

ROWS = 120_000 if FULL else 30_000
KILLS = 20 if FULL else 2
# From before the command has read the file until it has written several batches.
EARLIEST_SECONDS, LATEST_SECONDS = 0.3, 4.0 if FULL else 2.0

Row = tuple[str, float, str]


def some_rows(seed: int) -> list[Row]:
    """Return rows of which many have the same inputs, and some the same label as well."""
    generator = random.Random(seed)
    return [
        (generator.choice("abcd"), generator.randrange(ROWS // 8), generator.choice(["yes", "no"]))
        for _ in range(ROWS)
    ]


@pytest.fixture(params=["", "row"])
def table(store: Store, request: pytest.FixtureRequest) -> Dataset:
    """Return a dataset without rows, with and without an id column."""
    spec = DatasetSpec(
        name="table",
        kind="classification",
        target="left",
        id=request.param,
        fields={"plan": ChoiceField(), "usage": NumberField()},
    )
    return register(store, spec)


def write(path: Path, rows: list[Row]) -> None:
    """Write rows as a CSV file, each with its number as its id."""
    lines = (f"{at},{plan},{usage},{label}" for at, (plan, usage, label) in enumerate(rows))
    path.write_text("\n".join(["row,plan,usage,left", *lines]), "utf-8")


def start_import(url: str, path: Path, *more: str) -> subprocess.Popen[str]:
    """Start `db import`."""
    return subprocess.Popen(
        [sys.executable, "-m", "db", "import", "table", str(path), *more],
        cwd=ROOT,
        env=command_environment(url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def import_with_kills(url: str, path: Path, seed: int, *more: str) -> int:
    """Kill imports of a file at random moments, then let one finish; return the kills in time."""
    generator, kills = random.Random(seed), 0
    for _ in range(KILLS):
        with start_import(url, path, *more) as running:
            time.sleep(generator.uniform(EARLIEST_SECONDS, LATEST_SECONDS))
            running.kill()
            running.wait()
            kills += running.returncode != 0
    with start_import(url, path, *more) as last:
        _, error = last.communicate(timeout=PATIENCE_SECONDS)
    assert last.returncode == 0, error
    return kills


def rows_of(store: Store, dataset: Dataset) -> Counter[Row]:
    """Return all rows of the dataset."""
    return Counter(
        (record["inputs"]["plan"], record["inputs"]["usage"], row["label"])
        for record in export_rows(store, dataset)
        for row in record["observations"]
    )


def test_an_import_killed_repeatedly_loses_and_doubles_no_row(
    store: Store, database_url: str, table: Dataset, tmp_path: Path
) -> None:
    """Nor does an import that corrects, or one that adds."""
    first, path = some_rows(1), tmp_path / "table.csv"
    write(path, first)
    kills = import_with_kills(database_url, path, 1)
    assert rows_of(store, table) == Counter(first)
    corrected = [
        (plan, usage, "no" if at % 3 == 0 else label)
        for at, (plan, usage, label) in enumerate(first)
    ]
    write(path, corrected)
    kills += import_with_kills(database_url, path, 2)
    assert rows_of(store, table) == Counter(corrected)
    if not table.spec.id:
        added = some_rows(3)[: ROWS // 3]
        write(path, added)
        kills += import_with_kills(database_url, path, 3, "--add")
        assert rows_of(store, table) == Counter(corrected) + Counter(added)
    assert kills, "no import was killed before its end"
