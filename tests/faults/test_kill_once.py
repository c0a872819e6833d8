"""`enrich once`, killed at random moments and started again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from db.files.exporter import export_rows
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from enrich.learning.training import train_model
from tests.conftest import ROOT, WORDS_TEACHER, command_environment, notes_spec, register
from tests.inline import enrich_now
from tests.processes import PATIENCE_SECONDS

from .conftest import FULL

RECORDS = 4000
KILLS = 20 if FULL else 2
# From before the command has read its settings until it has enriched for a while.
EARLIEST_SECONDS, LATEST_SECONDS = 0.2, 3.0
WHERE = "tests.faults.sample_enrichers"

SPEC = notes_spec(
    {
        "text_profile": EnricherSpec(),
        "slow": EnricherSpec(use=f"{WHERE}.SlowLength"),
        "double": EnricherSpec(use="tests.store.sample_enrichers.Double", reads=("length",)),
        "length": EnricherSpec(use="tests.store.sample_enrichers.Length"),
    },
    WORDS_TEACHER,
)


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Return a dataset with a model and many stale records."""
    dataset = register(store, SPEC)
    records = []
    for number in range(RECORDS):
        tone = ("warm", "cold")[number % 2]
        words = {"warm": "merci beaucoup", "cold": "rien du tout"}[tone]
        inputs = dataset.spec.read_inputs({"sentence": f"{words} {number}"})
        # Few labels, so that training is quick.
        label = tone if number < RECORDS // 20 else None
        records.append(NewRow(dataset.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")
    train_model(store, "notes", settings)
    return dataset


def everything(store: Store, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the complete exported rows, sorted by key."""
    return sorted(export_rows(store, dataset), key=lambda row: str(row["key"]))


def make_stale(store: Store) -> None:
    """Delete all enrichments and predictions, so that every record is stale."""
    with store.writing() as connection:
        for table in (tables.enrichment, tables.prediction):
            connection.execute(delete(table))
        connection.execute(update(tables.record).values(revision=0))


def left_over(store: Store) -> list[int]:
    """Count chunks and quarantined records."""
    with store.reading() as connection:
        return [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (tables.chunk, tables.quarantine)
        ]


def start_once(url: str) -> subprocess.Popen[bytes]:
    """Start `enrich once`."""
    return subprocess.Popen(
        [sys.executable, "-m", "enrich", "once"],
        cwd=ROOT,
        env=command_environment(url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_enrich_once_killed_repeatedly_ends_with_the_same_store_as_an_undisturbed_run(
    store: Store, settings: Settings, database_url: str, notes: Dataset
) -> None:
    """No result is lost or stored twice, and no record is quarantined."""
    enrich_now(store, settings)
    undisturbed = everything(store, notes)
    make_stale(store)
    generator = random.Random(4)
    kills = 0
    while kills < KILLS:
        with start_once(database_url) as running:
            time.sleep(generator.uniform(EARLIEST_SECONDS, LATEST_SECONDS))
            running.kill()
            running.wait()
            if running.returncode == 0:
                # It ended before the kill: make work for the next processes to be killed at.
                make_stale(store)
                continue
        kills += 1
    with start_once(database_url) as last:
        _, error = last.communicate(timeout=PATIENCE_SECONDS)
    assert last.returncode == 0, error
    assert everything(store, notes) == undisturbed
    assert left_over(store) == [0, 0]
