"""The long-running worker as a real process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import select

from db.admin.store_status import dataset_status
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset, find_dataset
from db.records.models.trained_model import active_model
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from tests import processes
from tests.conftest import ROOT, WORDS_TEACHER, command_environment, notes_spec, register
from tests.extent import on_store
from tests.processes import PATIENCE_SECONDS

SPEC = notes_spec({"text_profile": EnricherSpec()}, WORDS_TEACHER)

wait_for = partial(processes.wait_for, look_seconds=0.2)


def fill(store: Store, dataset: Dataset, first: int, last: int) -> None:
    """Add labelled records."""
    words = ("merci beaucoup", "rien du tout")
    records = []
    for number in range(first, last):
        inputs = dataset.spec.read_inputs({"sentence": f"{words[number % 2]} {number}"})
        label = ("warm", "cold")[number % 2]
        records.append(NewRow(dataset.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")


@contextmanager
def worker_running(url: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `enrich run --now`; it must end cleanly on SIGTERM."""
    with subprocess.Popen(
        [sys.executable, "-m", "enrich", "run", "--now"],
        cwd=ROOT,
        env=command_environment(url, **environment),
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
@on_store("postgresql")
def test_a_worker_enriches_trains_and_trains_again_when_labels_have_grown(
    store: Store, database_url: str
) -> None:
    """Without further commands, the worker trains a teacher that reads the enrichments."""
    dataset = register(store, SPEC)
    fill(store, dataset, 0, 40)

    def is_trained(rows: int) -> bool:
        with store.reading() as connection:
            model = active_model(connection, dataset.id)
            status = dataset_status(connection, find_dataset(connection, "notes"))
        fresh = status["enriched"].get("prediction") == status["records"]
        # The last label or its enrichment may come first, so there may be one more version between.
        reads = model is not None and list(model.reads) == ["text_profile"]
        return bool(model is not None and model.metrics["rows"] == rows and reads and fresh)

    with worker_running(database_url):
        wait_for(lambda: is_trained(40))
        fill(store, dataset, 40, 60)
        wait_for(lambda: is_trained(60))


def test_a_worker_terminated_in_the_middle_gives_its_chunk_back(
    store: Store, database_url: str
) -> None:
    """The next worker finds the chunk at once, with no attempt counted."""
    slow = notes_spec({"slow": EnricherSpec(use="tests.faults.sample_enrichers.SlowLength")})
    dataset = register(store, slow)
    fill(store, dataset, 0, 19)
    fill(store, dataset, 1000, 9000)

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
