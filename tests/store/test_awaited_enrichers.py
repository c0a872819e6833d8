"""Training for more labels waits for the enrichers that the newest model reads."""

from __future__ import annotations

import pytest
from msgspec import structs

import db.queue.coverage
from db.queue.fault import CHUNK, record_fault, step_subject
from db.queue.quarantine import EnricherFailure, write_failures
from db.records.dataset import Dataset, find_dataset
from db.records.models.trained_model import active_model
from db.records.record import each_record
from db.settings import Settings
from db.spec.section import EnricherSpec
from db.store.store import Store
from enrich.learning.training import train_model
from enrich.planning.maintenance import training_due
from tests.conftest import register
from tests.inline import enrich_now

from .test_model import SAMPLES, fill, spec_with

GROWN = "labels have grown to 90"


@pytest.fixture
def grown(store: Store, settings: Settings) -> Dataset:
    """Return a dataset whose model reads an enricher, and which has got labels since."""
    area = EnricherSpec(use="tests.store.sample_enrichers.Area", reads=("area",))
    own = structs.replace(spec_with(f"{SAMPLES}.mean"), enrichers={"double": area})
    dataset = register(store, own)
    fill(store, dataset, 80)
    enrich_now(store, settings)
    train_model(store, dataset.name, settings)
    with store.reading() as connection:
        model = active_model(connection, dataset.id)
    assert model is not None
    assert list(model.reads) == ["double"]
    fill(store, dataset, 10, seed=2)
    return dataset


def why_due(store: Store, settings: Settings, dataset: Dataset) -> str:
    """Return why training is due."""
    with store.reading() as connection:
        return training_due(connection, find_dataset(connection, dataset.name), settings)


def test_training_for_more_labels_waits_until_they_are_enriched(
    store: Store, settings: Settings, grown: Dataset
) -> None:
    """Otherwise the next model would do without the enricher for an hour."""
    assert why_due(store, settings, grown) == ""
    enrich_now(store, settings)
    assert why_due(store, settings, grown) == GROWN


@pytest.mark.parametrize("subject", [step_subject("double"), CHUNK])
def test_training_for_more_labels_does_not_wait_for_what_a_fault_has_stopped(
    store: Store, settings: Settings, grown: Dataset, subject: str
) -> None:
    """It may take days until somebody mends it."""
    with store.writing() as connection:
        record_fault(connection, grown.id, subject, "it fails")
    assert why_due(store, settings, grown) == GROWN


def test_training_for_more_labels_does_not_wait_for_quarantined_records(
    store: Store, settings: Settings, grown: Dataset
) -> None:
    """They wait for a person; the other records are still waited for."""
    with store.reading() as connection:
        new = [one.id for one in each_record(connection, grown.id)][-10:]
    for ids, reason in ((new[:9], ""), (new[9:], GROWN)):
        failures = [EnricherFailure(record_id, "double", "it fails") for record_id in ids]
        with store.writing() as connection:
            write_failures(connection, grown.id, 1, failures)
        assert why_due(store, settings, grown) == reason


def test_training_for_more_labels_waits_for_an_hour_at_most(
    store: Store, settings: Settings, grown: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service may be at its limit for the day."""
    monkeypatch.setattr(db.queue.coverage, "NEW_RECORD_SECONDS", -1.0)
    assert why_due(store, settings, grown) == GROWN
