"""Measure imports from a database, predictions of a file, and publications, at a number of rows.

Usage: python -m deploy.exchange [ROWS] [DATABASE_URL_OF_AN_EMPTY_DATABASE]

The table has ten columns. It is in an SQLite file unless a URL is given, and in a CSV file with the
same rows. The store is an SQLite file on the same disk. Memory is the peak of the process; the
prediction uses one process per core, of which it is the largest.
"""

from __future__ import annotations

import csv
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, DateTime, Float, Integer, MetaData, String, Table
from sqlalchemy.engine import Engine

from db.exchange.user_database import open_database

ROOT = Path(__file__).parent.parent
TOWNS = ("Lille", "Lyon", "Paris", "Nice")
NAMES = ("id", "area", "rooms", "town", "floor", "year", "lift", "note", "rent", "updated_at")
BATCH_ROWS = 10_000
SAMPLE_RECORDS = 20_000
QUERY = "SELECT * FROM flats"
SPEC = """
name = "flats"
kind = "regression"
target = "rent"
id = "id"
fields.area.type = "number"
fields.rooms.type = "integer"
fields.town.type = "choice"
fields.floor.type = "integer"
fields.year.type = "integer"
fields.lift.type = "boolean"
fields.note.type = "choice"
"""
_TABLE = Table(
    "flats",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("area", Float),
    Column("rooms", Integer),
    Column("town", String(20)),
    Column("floor", Integer),
    Column("year", Integer),
    Column("lift", Integer),
    Column("note", String(40)),
    Column("rent", Float),
    Column("updated_at", DateTime),
)


def main() -> None:
    """Print a line for each command."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="veilleuse-exchange-") as folder:
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/shop.db"  # noqa: PLR2004
        with open_database(url, must_exist=False) as database:
            _TABLE.create(database.engine)
            try:
                _fill(database.engine, Path(folder), rows)
                _measure(Path(folder), rows, url, database.engine)
            finally:
                _TABLE.drop(database.engine)


def _fill(engine: Engine, folder: Path, count: int) -> None:
    """Write the same rows to the database and to a CSV file."""
    with (folder / "flats.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, NAMES)
        writer.writeheader()
        for batch in _batches(count):
            writer.writerows(batch)
            with engine.begin() as connection:
                connection.execute(_TABLE.insert(), batch)


def _batches(count: int) -> Iterator[list[dict[str, Any]]]:
    draw = random.Random(1)  # noqa: S311  no secret
    first = datetime(2025, 1, 1)  # noqa: DTZ001  a column without a time zone
    for start in range(1, count + 1, BATCH_ROWS):
        yield [
            _row(number, draw, first + timedelta(seconds=20 * number))
            for number in range(start, min(start + BATCH_ROWS, count + 1))
        ]


def _row(number: int, draw: random.Random, moment: datetime) -> dict[str, Any]:
    area, rooms, town = round(draw.uniform(15, 115), 1), draw.randint(1, 6), draw.randrange(4)
    rent = round(area * (11 + 4 * town) + 40 * rooms + draw.gauss(0, 60), 2)
    values = (
        *(number, area, rooms, TOWNS[town], draw.randrange(9), draw.randint(1900, 2024)),
        *(draw.randrange(2), f"agency {draw.randrange(300)}", rent, moment),
    )
    return dict(zip(NAMES, values, strict=True))


def _measure(folder: Path, rows: int, url: str, engine: Engine) -> None:
    (folder / "flats.toml").write_text(SPEC)
    source = ("--from", "SHOP_URL", "--query", QUERY, "--since-column", "updated_at")
    changes = ("db", "import", "flats", *source, "--remove-missing")
    table = f"{folder}/flats.csv"
    for name in ("csv", "query"):
        environment = {"DATABASE_URL": f"sqlite:///{folder}/{name}.db", "SHOP_URL": url}
        _run(environment, "db", "upgrade")
        _run(environment, "db", "load", f"{folder}/flats.toml")
        if name == "csv":
            _show(
                "import of CSV", rows, environment, "db", "import", "flats", f"{folder}/flats.csv"
            )
    _show("import of a query", rows, environment, *changes)
    _change(engine)
    _show("import of what changed", rows // 1000, environment, *changes)
    _run(environment, "enrich", "train", "flats", "--sample", str(SAMPLE_RECORDS))
    out = f"{folder}/predicted.csv"
    _show("predict a file", rows, environment, "db", "predict", "flats", table, "--out", out)
    publish = ("db", "publish", "flats", "--to", "SHOP_URL", "--table", "flat_scores")
    _show("publish", rows, environment, *publish)
    _show("publish again", rows, environment, *publish)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE flat_scores")


def _change(engine: Engine) -> None:
    """Change a row of each thousand, and delete one of each ten thousand."""
    now = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
    with engine.begin() as connection:
        changed = _TABLE.c.id % 1000 == 7  # noqa: PLR2004
        connection.execute(
            _TABLE.update().where(changed).values(rent=_TABLE.c.rent + 1, updated_at=now)
        )
        connection.execute(_TABLE.delete().where(_TABLE.c.id % 10_000 == 3))  # noqa: PLR2004


def _show(title: str, rows: int, environment: dict[str, str], *command: str) -> None:
    started = time.monotonic()
    said, usage = _run(environment, *command)
    seconds = time.monotonic() - started
    memory_mib = usage.ru_maxrss / 1024
    summary = re.sub(r"\s+", " ", said.strip().splitlines()[-1])
    print(
        f"{title}: {seconds:,.1f} s, {rows / seconds:,.0f} rows/s, CPU {usage.ru_utime:,.1f} s,"
        f" {memory_mib:,.0f} MiB: {summary}",
        flush=True,
    )


def _run(environment: dict[str, str], *command: str) -> tuple[str, Any]:
    """Run a Python module as a command; return its output and the resources that it used."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None  # noqa: S101
        said = running.stdout.read()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)}: {said}")
    return said, usage


if __name__ == "__main__":
    main()
