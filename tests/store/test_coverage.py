"""Tests of counts of fresh records, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.queue import coverage
from db.queue.coverage import OLD_SECONDS, all_counts, count_now, write_counts
from db.queue.planner import plan_chunks
from db.queue.quarantine import EnricherFailure, write_failures
from db.records.dataset import Dataset, PlanStep, find_dataset, set_plan
from db.records.enrichment import Enrichment, write_enrichments
from db.records.prediction import Prediction, write_predictions
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.store import Store
from serve.pages.home.dataset_counts import DatasetCounts, read_dataset_counts
from serve.telemetry.coverage_reader import CoverageReader
from tests.conftest import ask, notes_spec, register

PLAN = (PlanStep("profile", "p1"), PlanStep("prediction", "m1", ("profile",)))
SPEC = notes_spec({"profile": EnricherSpec(use="text_profile", reads=("sentence",))})


def some_rows(dataset: Dataset, first: int, rows: int, label: str | None = "warm") -> list[NewRow]:
    """Return rows with sentences of their own."""
    read = dataset.spec.read_inputs
    inputs = [read({"sentence": f"phrase {at}"}) for at in range(first, first + rows)]
    return [NewRow(dataset.spec.key(one), one, label) for one in inputs]


def add(store: Store, dataset: Dataset, first: int, rows: int) -> None:
    """Add labelled rows as an import does."""
    with store.writing() as connection:
        add_rows(connection, dataset, some_rows(dataset, first, rows), "import")


def enrich_all(store: Store) -> Dataset:
    """Write the values of all records, as a worker does."""
    with store.writing() as connection:
        dataset = set_plan(connection, find_dataset(connection, "notes"), PLAN)
        rows = connection.execute(select(tables.record.c.id, tables.record.c.key)).all()
        write_enrichments(connection, [Enrichment(row.id, "profile", "p1", 1) for row in rows])
        made = [Prediction(row.key, b"{}", "m1", "warm", 0.9) for row in rows]
        write_predictions(connection, dataset.id, made)
        connection.execute(update(tables.record).values(revision=dataset.revision))
    return dataset


def counted(store: Store) -> dict[str, tuple[int, int]]:
    """Return fresh values and records by enricher, counted at this moment."""
    with store.reading() as connection:
        dataset = find_dataset(connection, "notes")
        last = all_counts(connection)
        return {
            one.enricher: (one.fresh, one.records) for one in count_now(connection, dataset, last)
        }


@pytest.fixture
def enriched(store: Store) -> Dataset:
    """Return a dataset of five records with all their values."""
    add(store, register(store, SPEC), 0, 5)
    # No worker has made the plan yet.
    assert counted(store) == {"profile": (0, 5)}
    return enrich_all(store)


def test_new_records_are_counted_though_no_worker_works(store: Store, enriched: Dataset) -> None:
    """They are stale, whether they wait for a chunk or are in one."""
    assert counted(store) == {"profile": (5, 5), "prediction": (5, 5)}
    add(store, enriched, 5, 3)
    with store.writing() as connection:
        ask(connection, enriched.id, some_rows(enriched, 8, 1))
    assert counted(store) == {"profile": (5, 9), "prediction": (5, 9)}
    with store.writing() as connection:
        assert plan_chunks(connection, enriched, 1)
    assert counted(store) == {"profile": (5, 9), "prediction": (5, 9)}


def test_a_stale_record_counts_for_the_values_that_it_has(store: Store, enriched: Dataset) -> None:
    """A changed enricher leaves the values of the others fresh, and a refused record has none."""
    with store.writing() as connection:
        set_plan(connection, enriched, (PlanStep("profile", "p2"), *PLAN[1:]))
    assert counted(store) == {"profile": (0, 5), "prediction": (5, 5)}
    with store.writing() as connection:
        again = set_plan(connection, find_dataset(connection, "notes"), PLAN)
        [first, *_] = connection.execute(select(tables.record.c.id)).scalars().all()
        of_first = tables.enrichment.c.record_id == first
        connection.execute(tables.enrichment.delete().where(of_first))
        refused = [EnricherFailure(first, "profile", "no")]
        write_failures(connection, enriched.id, again.revision, refused)
        connection.execute(update(tables.record).values(revision=again.revision))
    assert counted(store) == {"profile": (4, 5), "prediction": (5, 5)}


def test_too_many_stale_records_are_not_looked_up(
    store: Store, enriched: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last count of fresh values is then taken, of as many records as there are now."""
    monkeypatch.setattr(coverage, "MOST_STALE_RECORDS", 2)
    add(store, enriched, 5, 3)
    assert counted(store) == {"profile": (0, 8), "prediction": (0, 8)}
    with store.writing() as connection:
        write_counts(connection, enriched.id, 5, {"profile": 4, "prediction": 5})
    assert counted(store) == {"profile": (4, 8), "prediction": (5, 8)}
    monkeypatch.setattr(coverage, "MOST_COUNTED_RECORDS", 3)
    assert counted(store) == {"profile": (4, 5), "prediction": (5, 5)}


def test_counts_of_workers_are_shown_for_a_minute(store: Store, enriched: Dataset) -> None:
    """After that the reader counts, and keeps what it has counted for some seconds."""
    reader = CoverageReader()
    add(store, enriched, 5, 3)
    with store.writing() as connection:
        write_counts(connection, enriched.id, 5, {"profile": 5, "prediction": 5})
    with store.reading() as connection:
        assert [one.backlog for one in reader.read(connection)] == [0, 0]
    with store.writing() as connection:
        then = tables.progress.c.made_at - OLD_SECONDS - 1
        connection.execute(update(tables.progress).values(made_at=then))
    with store.reading() as connection:
        found = reader.read(connection)
        assert [(one.enricher, one.backlog) for one in found] == [("profile", 3), ("prediction", 3)]
        assert reader.read(connection) == found


def test_records_are_counted_by_what_is_known_of_them(store: Store, enriched: Dataset) -> None:
    """A record can be both labelled and asked for."""
    with store.writing() as connection:
        ask(connection, enriched.id, some_rows(enriched, 4, 3))
        record = tables.record.c
        is_unlabelled = record.label.is_(None)
        doubtful = update(tables.record).where(is_unlabelled).values(answer="warm", score=0.4)
        connection.execute(doubtful)
        connection.execute(update(tables.record).where(~is_unlabelled).values(issue=True))
    with store.reading() as connection:
        counts = read_dataset_counts(connection, enriched.id)
    assert counts == DatasetCounts(
        records=7, labelled=5, asked=3, asked_and_labelled=1, labels=5, uncertain=2, issues=5
    )
