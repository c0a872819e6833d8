"""Tests of `prune`: what it deletes and what it keeps."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select, update

from db.admin.prune import DAY_SECONDS, prune_store
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue.run_history import recorded_run
from db.queue.worker_registry import register_worker
from db.records.dataset import Dataset
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from tests.conftest import ask, register
from tests.inline import enrich_now

from .test_enrich import CHAIN, SAMPLES, fill, spec_with


@pytest.fixture
def notes(store: Store, settings: Settings) -> Dataset:
    """Return a dataset of 20 imported records and two requested ones, all enriched."""
    found = register(store, CHAIN)
    fill(store, found, 20)
    for sentence in ("vieux", "neuf"):
        inputs = found.spec.read_inputs({"sentence": sentence})
        with store.writing() as connection:
            ask(connection, found.id, [NewRow(found.spec.key(inputs), inputs)])
    enrich_now(store, settings)
    return found


def make_old(store: Store, dataset: Dataset, sentence: str, days: float) -> None:
    """Set the age of a record."""
    key = dataset.spec.key(dataset.spec.read_inputs({"sentence": sentence}))
    with store.writing() as connection:
        connection.execute(
            update(tables.record)
            .where(tables.record.c.key == key)
            .values(made_at=time.time() - days * DAY_SECONDS)
        )


def test_a_request_older_than_retain_days_is_deleted_with_its_values(
    store: Store, notes: Dataset
) -> None:
    """Younger requests and imported records stay."""
    make_old(store, notes, "vieux", 31)
    make_old(store, notes, "neuf", 29)
    make_old(store, notes, "merci beaucoup 0", 400)
    assert prune_store(store)["requests"] == 1
    with store.reading() as connection:
        assert len(connection.execute(select(tables.record.c.id)).all()) == 21
        assert len(connection.execute(select(tables.enrichment.c.record_id)).all()) == 63


def test_a_request_that_was_labelled_later_is_kept(store: Store, notes: Dataset) -> None:
    """Labels are a person's work and must not be lost."""
    make_old(store, notes, "vieux", 31)
    inputs = notes.spec.read_inputs({"sentence": "vieux"})
    with store.writing() as connection:
        labelled = NewRow(notes.spec.key(inputs), inputs, "cold")
        add_rows(connection, notes, [labelled], "import")
    assert prune_store(store)["requests"] == 0


def test_values_of_a_removed_enricher_are_deleted(store: Store, notes: Dataset) -> None:
    """The values of the other enrichers stay."""
    register(store, spec_with(length=EnricherSpec(use=f"{SAMPLES}.Length")))
    assert prune_store(store)["enrichments"] == 44
    with store.reading() as connection:
        left = connection.execute(select(tables.enrichment.c.enricher)).scalars()
        assert set(left) == {"length"}
    assert notes.name == "notes"


def test_the_latest_run_of_each_command_is_kept(store: Store, notes: Dataset) -> None:
    """An import that is due once in two months would otherwise be due after one."""
    for command in ("import", "import", "publish"):
        with recorded_run(store, notes.id, command, store.write(register_worker)) as run:
            run.complete(command)
    with store.writing() as connection:
        long_ago = tables.run.c.started_at - 40 * DAY_SECONDS
        connection.execute(update(tables.run).values(started_at=long_ago))
    with recorded_run(store, notes.id, "train", store.write(register_worker)) as run:
        run.complete("train")
    assert prune_store(store)["runs"] == 1
    with store.reading() as connection:
        left = connection.execute(select(tables.run.c.command)).scalars()
        assert sorted(left) == ["import", "publish", "train"]


def test_pruning_twice_deletes_nothing_more(store: Store, notes: Dataset) -> None:
    """`prune` can run every night."""
    make_old(store, notes, "vieux", 31)
    prune_store(store)
    assert set(prune_store(store).values()) == {0}
