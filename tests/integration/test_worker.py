"""The long-running worker, as a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import select

from db.admin.store_status import dataset_status
from db.records.dataset import Dataset, find_dataset
from db.records.record import NewRecord, add_records
from db.records.trained_model import active_model
from db.spec.dataset_spec import EnricherSpec
from db.store import tables
from db.store.store import Store
from tests import processes
from tests.conftest import ROOT, command_environment, notes_spec, register
from tests.processes import PATIENCE_SECONDS

SPEC = notes_spec({"text_profile": EnricherSpec()})

wait_for = partial(processes.wait_for, look_seconds=0.2)


def fill(store: Store, dataset: Dataset, first: int, last: int) -> None:
    """Add labelled records."""
    words = ("merci beaucoup", "rien du tout")
    records = []
    for number in range(first, last):
        inputs = dataset.spec.read_inputs({"sentence": f"{words[number % 2]} {number}"})
        label = ("warm", "cold")[number % 2]
        records.append(NewRecord(dataset.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_records(connection, dataset.id, records, "import")


@contextmanager
def worker_running(url: str) -> Iterator[subprocess.Popen[str]]:
    """Run `enrich run --now`; it must end cleanly when told to."""
    with subprocess.Popen(
        [sys.executable, "-m", "enrich", "run", "--now"],
        cwd=ROOT,
        env=command_environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()
            out, _ = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, out
    assert "Traceback" not in out


@pytest.mark.slow
def test_a_worker_enriches_trains_and_trains_again_when_labels_have_grown(
    store: Store, database_url: str
) -> None:
    """Left alone with records, it ends with a teacher that reads the enrichments."""
    found = register(store, SPEC)
    fill(store, found, 0, 40)

    def has_learnt(rows: int) -> bool:
        with store.reading() as connection:
            model = active_model(connection, found.id)
            status = dataset_status(connection, find_dataset(connection, "notes"))
        fresh = status["enriched"].get("prediction") == status["records"]
        # Whichever comes first, the last label or its enrichment: a version more may be between.
        reads = model is not None and list(model.reads) == ["text_profile"]
        return bool(model is not None and model.metrics["rows"] == rows and reads and fresh)

    with worker_running(database_url):
        wait_for(lambda: has_learnt(40))
        fill(store, found, 40, 60)
        wait_for(lambda: has_learnt(60))


def test_a_worker_told_to_end_in_the_middle_gives_its_chunk_back(
    store: Store, database_url: str
) -> None:
    """The next worker finds it at once, untried."""
    slow = notes_spec({"slow": EnricherSpec(use="tests.faults.sample_enrichers.SlowLength")})
    found = register(store, slow)
    fill(store, found, 0, 19)
    fill(store, found, 1000, 9000)

    def is_at_work() -> bool:
        with store.reading() as connection:
            status = dataset_status(connection, find_dataset(connection, "notes"))
        return bool(0 < status["enriched"].get("slow", 0) < status["records"])

    with worker_running(database_url):
        wait_for(is_at_work)
    with store.reading() as connection:
        assert connection.execute(select(tables.worker.c.id)).all() == []
        owned = select(tables.chunk.c.id).where(
            tables.chunk.c.owner.isnot(None) | (tables.chunk.c.attempts > 0)
        )
        assert connection.execute(owned).all() == []
