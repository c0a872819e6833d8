"""Tests of reading, comparing and activating versions of a model."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select, update

from db.errors import UnknownModel
from db.queue.run_history import begin_run, end_run
from db.records.dataset import Dataset
from db.records.models.trained_model import active_model, find_model, newest_models
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store
from db.versions.activation import activate_version
from db.versions.held_out import mark_held_out
from db.versions.read_comparison import ReadComparison, read_comparison
from db.versions.training_run import find_training_run
from tests.hand_made_student import tones
from tests.two_versions import add_version, label_metrics, make_rents, make_tones


def compare(store: Store, dataset: Dataset) -> ReadComparison:
    """Return the comparison of the first two versions."""
    with store.reading() as connection:
        models = [find_model(connection, dataset, version) for version in (1, 2)]
        return read_comparison(connection, dataset.id, *models)


def test_two_versions_are_compared_by_the_labels_of_today(store: Store) -> None:
    """A label that was corrected counts as it is now."""
    dataset = make_tones(store)
    found = compare(store, dataset)
    assert found.comparison is not None
    assert (found.common_records, found.comparison.records) == (40, 40)
    assert (found.comparison.mended_count, found.comparison.broken_count) == (10, 2)
    accuracy = found.comparison.measures["teacher"]["accuracy"]
    assert (accuracy.before, accuracy.after) == (0.75, 0.95)
    assert accuracy.is_paired
    assert accuracy.is_beyond_chance
    with store.writing() as connection:
        connection.execute(update(tables.observation).values(label="sad"))
    corrected = compare(store, dataset).comparison
    assert corrected is not None
    assert corrected.measures["teacher"]["accuracy"].before == 0.5


def test_a_large_model_is_compared_on_a_fair_sample(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels that a page reads are bounded, and the answers it unpacks."""
    dataset = make_tones(store)
    monkeypatch.setattr("db.versions.read_comparison.MOST_RECORDS", 30)
    monkeypatch.setattr("db.versions.read_comparison.BATCH_RECORDS", 7)
    found = compare(store, dataset)
    assert found.comparison is not None
    assert (found.common_records, found.comparison.records) == (40, 30)
    monkeypatch.setattr("db.versions.read_comparison.MOST_BYTES", 100)
    assert compare(store, dataset).comparison is None


def test_numbers_are_compared_by_their_errors(store: Store) -> None:
    """Each is off by one instead of five."""
    found = compare(store, make_rents(store)).comparison
    assert found is not None
    error = found.measures["teacher"]["mae"]
    assert (error.before, error.after) == (5.0, 1.0)
    assert found.mended_count == 40


def test_a_version_without_answers_has_no_comparison(store: Store) -> None:
    """After two more versions the first keeps its metrics alone."""
    dataset = make_tones(store)
    for _ in range(2):
        add_version(store, dataset, tones(), label_metrics([[20, 0], [0, 20]]), b"")
    assert compare(store, dataset).comparison is None
    with pytest.raises(UnknownModel, match="its artifacts have been deleted"):
        store.write(partial(activate_version, dataset=dataset, version=1))
    with store.reading() as connection:
        older = newest_models(connection, dataset.id, 2, before=4)
    assert [model.version for model in older] == [3, 2]
    assert not mark_held_out(store, dataset, 1)


def test_activation_raises_the_generation_and_rewrites_held_out_answers(store: Store) -> None:
    """Listings show the answers of the version that is active."""
    dataset = make_tones(store)
    with store.reading() as connection:
        before = read_generation(connection)
    store.write(partial(activate_version, dataset=dataset, version=1))
    assert not mark_held_out(store, dataset, 1, most_bytes=100)
    assert mark_held_out(store, dataset, 1)
    with store.reading() as connection:
        model = active_model(connection, dataset.id)
        assert read_generation(connection) > before
        wrong = connection.execute(
            select(tables.record.c.id).where(
                tables.record.c.held_out, tables.record.c.answer != tables.record.c.label
            )
        ).all()
    assert model is not None
    assert model.version == 1
    assert len(wrong) == 10


def test_a_version_that_reads_a_lost_enricher_is_not_activated(store: Store) -> None:
    """Without its values the teacher cannot predict."""
    dataset = make_tones(store)
    metrics = label_metrics([[20, 0], [0, 20]])
    add_version(store, dataset, tones(), metrics, b"", reads={"gone": "1"})
    store.write(partial(activate_version, dataset=dataset, version=2))
    with pytest.raises(UnknownModel, match="tones@3: reads gone, which the spec no longer names"):
        store.write(partial(activate_version, dataset=dataset, version=3))


def test_the_run_that_trained_a_version_is_found_by_its_outcome(store: Store) -> None:
    """The run of version 12 is not that of version 1."""
    dataset = make_tones(store)
    with store.writing() as connection:
        for outcome in ("tones@12: not worse", "tones@1: its teacher is worse"):
            run_id = begin_run(connection, dataset.id, "train", 1)
            end_run(connection, run_id, 0, outcome)
    with store.reading() as connection:
        run = find_training_run(connection, dataset, 1)
        assert find_training_run(connection, dataset, 2) is None
    assert run is not None
    assert run.reason == "its teacher is worse"
    assert run.seconds >= 0
