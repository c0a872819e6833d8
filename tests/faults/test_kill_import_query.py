"""`db import --from`, killed at random moments and run again."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from db.files.exporter import export_rows
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, NumberField
from db.store import tables
from db.store.store import Store
from tests.conftest import ROOT, command_environment, register
from tests.processes import PATIENCE_SECONDS

from .conftest import FULL

ROWS = 100_000 if FULL else 25_000
KILLS = 15 if FULL else 3
OPTIONS = ("--since-column", "version", "--remove-missing")


def make_table(path: Path) -> None:
    """Write a table of rows with ids."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE usage (id INTEGER PRIMARY KEY, plan, hours, stays, version)"
        )
        rows = ((at, "abc"[at % 3], at % 997, "yes", 0) for at in range(ROWS))
        connection.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()


def change_table(path: Path) -> None:
    """Change a third of the rows, and delete a few."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE usage SET hours = -id, version = 1 WHERE id % 3 = 1")
        connection.execute("DELETE FROM usage WHERE id % 50 = 2")
        connection.commit()


def wanted(path: Path) -> dict[str, tuple[str, float]]:
    """Return the plan and hours of each id in the table."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT id, plan, hours FROM usage")
        return {str(row_id): (plan, float(hours)) for row_id, plan, hours in rows}


def start_import(url: str, path: Path) -> subprocess.Popen[str]:
    """Start `db import`."""
    query = ("--from", f"sqlite:///{path}", "--query", "SELECT * FROM usage", *OPTIONS)
    return subprocess.Popen(
        [sys.executable, "-m", "db", "import", "usage", *query],
        cwd=ROOT,
        env=command_environment(url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def import_with_kills(url: str, path: Path, generator: random.Random) -> int:
    """Kill imports at random moments, then let one finish; return the kills in time."""
    kills = 0
    for _ in range(KILLS):
        with start_import(url, path) as running:
            time.sleep(generator.uniform(0.3, 2.0))
            running.kill()
            running.wait()
            kills += running.returncode != 0
    with start_import(url, path) as last:
        _, error = last.communicate(timeout=PATIENCE_SECONDS)
    assert last.returncode == 0, error
    return kills


def test_a_killed_import_of_a_query_loses_no_change(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    """The position of an incremental import never goes beyond what is in the store."""
    spec = DatasetSpec(
        name="usage",
        kind="classification",
        target="stays",
        id="id",
        fields={"plan": ChoiceField(), "hours": NumberField()},
    )
    dataset = register(store, spec)
    path, generator = tmp_path / "shop.db", random.Random(5)
    make_table(path)
    kills = 0
    for change in (lambda _: None, change_table):
        change(path)
        kills += import_with_kills(database_url, path, generator)
        found = {
            row["id"]: (record["inputs"]["plan"], record["inputs"]["hours"])
            for record in export_rows(store, dataset)
            for row in record["observations"]
        }
        assert found == wanted(path)
    with store.reading() as connection:
        positions = connection.execute(select(tables.import_position.c.position)).scalars().all()
    assert positions == ['["int","1"]']
    assert kills, "no import was killed before its end"
