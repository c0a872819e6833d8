"""The store under a server that a run starts: one that may be asked anything."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from benchmark.processes import ROOT, call, environment_of, fill_store

SAMPLES = ("intents", "customers")
DEFAULT_URL = "sqlite:///veilleuse.db"
SQLITE = "sqlite:///"


def lend_store(folder: Path) -> str:
    """Return the address of a copy of the SQLite store that DATABASE_URL names, made in a folder.

    The copy takes what a run asks for, so that nobody's store is filled with it. A PostgreSQL is
    not copied. Where there is no store yet, one is made of the samples.
    """
    url = os.environ.get("DATABASE_URL", DEFAULT_URL)
    if not url.startswith(SQLITE):
        return url
    original, copy = ROOT / url.removeprefix(SQLITE), folder / "store.db"
    if original.exists():
        with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    else:
        print("there is no store yet: the samples are imported and trained", file=sys.stderr)
        _train(environment_of(f"{SQLITE}{copy}"))
    return f"{SQLITE}{copy}"


def _train(environment: dict[str, str]) -> None:
    fill_samples(environment, SAMPLES)
    for name in SAMPLES:
        call(environment, "enrich", "train", name)
    call(environment, "enrich", "once")


def fill_samples(environment: dict[str, str], names: Iterable[str]) -> None:
    """Make a store of datasets that ship, with the rows that ship."""
    fill_store(environment, {name: f"datasets/{name}.csv" for name in names})


def export_rows(environment: dict[str, str], dataset: str, folder: Path) -> Path:
    """Write a dataset's rows to a file, to ask for."""
    file = folder / "rows.jsonl"
    file.write_text(call(environment, "db", "export", dataset), "utf-8")
    return file
