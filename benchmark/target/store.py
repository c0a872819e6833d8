"""The store of a server that a run starts: a copy, which the requests may fill."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmark.processes import ROOT, call, environment_of, fill_store

SAMPLES = ("intents", "customers")
DEFAULT_URL = "sqlite:///veilleuse.db"
SQLITE = "sqlite:///"


def prepare_store(folder: Path) -> str:
    """Copy the SQLite store of DATABASE_URL into a folder, and return the address of the copy.

    The copy receives the unseen inputs of the run, so that the original does not. A PostgreSQL
    store is not copied. If there is no store, one is made and trained from the samples.
    """
    url = os.environ.get("DATABASE_URL", DEFAULT_URL)
    if not url.startswith(SQLITE):
        return url
    original, copy = ROOT / url.removeprefix(SQLITE), folder / "store.db"
    if original.exists():
        _copy(original, copy)
    else:
        print("there is no store: importing the samples and training on them", file=sys.stderr)
        _train_samples(environment_of(f"{SQLITE}{copy}"))
    return f"{SQLITE}{copy}"


@contextmanager
def copied_store(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment of a server with a copy of its SQLite store, if it has one.

    What a server records must not be there when the next one gets the same inputs.
    """
    url = environment.get("DATABASE_URL", "")
    if not url.startswith(SQLITE):
        yield environment
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "store.db"
        _copy(ROOT / url.removeprefix(SQLITE), copy)
        yield {**environment, "DATABASE_URL": f"{SQLITE}{copy}"}


def _copy(original: Path, copy: Path) -> None:
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _train_samples(environment: dict[str, str]) -> None:
    fill_samples(environment, SAMPLES)
    # The teacher reads the embeddings. Without them the student would be the teacher.
    call(environment, "enrich", "once")
    for name in SAMPLES:
        call(environment, "enrich", "train", name)
    call(environment, "enrich", "once")


def fill_samples(environment: dict[str, str], names: Iterable[str]) -> None:
    """Create a store with these sample datasets and their rows."""
    fill_store(environment, {name: f"datasets/{name}.csv" for name in names})


def export_rows(environment: dict[str, str], dataset: str, folder: Path) -> Path:
    """Export the rows of a dataset to a file, for the load generator to send."""
    file = folder / "rows.jsonl"
    file.write_text(call(environment, "db", "export", dataset), "utf-8")
    return file
