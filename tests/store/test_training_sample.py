"""Tests of training on a sample of the records, on both databases."""

from __future__ import annotations

import random

import pytest

from db.errors import TrainingError
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.models.model_versions import read_out_of_fold
from db.records.models.trained_model import active_model
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField, TextField
from db.store.store import Store
from enrich.learning import training_data
from enrich.learning.quality.out_of_fold import decode_out_of_fold
from enrich.learning.training import TrainingMonitor, train_model
from tests.conftest import register

SPEC = DatasetSpec(name="rooms", kind="regression", target="price", fields={"area": NumberField()})
WISHES = DatasetSpec(name="rooms", kind="regression", target="price", fields={"wish": TextField()})


def fill(store: Store, spec: DatasetSpec = SPEC, repeats: int = 1) -> Dataset:
    """Register a dataset of 120 labelled records, and 200 without a label."""
    dataset = register(store, spec)
    chance, rows = random.Random(1), []
    for at in range(320):
        given = {"area": at} if spec is SPEC else {"wish": f"{at} rooms " * 90}
        inputs = spec.read_inputs(given)
        label = repr(3 * at + chance.random()) if at < 120 else None
        rows += [NewRow(spec.key(inputs), inputs, label)] * (repeats if label else 1)
    with store.writing() as connection:
        add_rows(connection, dataset, rows, "import")
    return dataset


def keys_of_model(store: Store, dataset: Dataset) -> list[bytes]:
    """Return the keys of the records that the active model was trained on."""
    with store.reading() as connection:
        model = active_model(connection, dataset.id)
        assert model is not None
        stored = read_out_of_fold(connection, model)
    assert stored is not None
    return decode_out_of_fold(stored).split_keys()


@pytest.mark.parametrize("repeats", [1, 3])
def test_training_works_on_exactly_as_many_records_as_are_wanted(
    store: Store, settings: Settings, repeats: int
) -> None:
    """They are the same each time, and have all of their rows; records without a label are none."""
    dataset = fill(store, repeats=repeats)
    for _ in range(2):
        metrics = train_model(store, "rooms", settings, sample=57, force=True).metrics
        assert (metrics["sample"], metrics["records"], metrics["rows"]) == (57, 57, 57 * repeats)
        assert metrics["all_rows"] == 120 * repeats
    some = keys_of_model(store, dataset)
    train_model(store, "rooms", settings, force=True)
    assert sorted(some) == sorted(keys_of_model(store, dataset))[:57]


@pytest.mark.parametrize("wanted", [None, 120, 500])
def test_a_sample_of_all_records_is_none(
    store: Store, settings: Settings, wanted: int | None
) -> None:
    """Nothing is said about a sample."""
    fill(store)
    metrics = train_model(store, "rooms", settings, sample=wanted).metrics
    assert (metrics["sample"], metrics["records"]) == (None, 120)


def test_a_sample_that_fits_the_free_memory_is_said(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long texts leave room for fewer records."""
    fill(store, WISHES)
    monkeypatch.setattr(training_data, "read_free_bytes", lambda _cgroup: 8_000_000)
    said: list[str] = []
    monitor = TrainingMonitor(lambda _note, _done, _total: None, said.append)
    metrics = train_model(store, "rooms", settings, monitor=monitor).metrics
    assert 30 < metrics["sample"] == metrics["records"] < 60
    (sentence,) = said
    assert sentence.startswith("rooms: training on all 120 records needs some ")
    assert f" it works on a fair sample of {metrics['sample']}; " in sentence


def test_too_little_memory_for_the_fewest_records_is_an_error_of_its_own(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are enough labels: importing more would not help."""
    fill(store)
    monkeypatch.setattr(training_data, "read_free_bytes", lambda _cgroup: 20_000)
    with pytest.raises(TrainingError) as caught:
        train_model(store, "rooms", settings)
    assert str(caught.value) == (
        "rooms: 20,000 bytes of memory are free, too few to train on 20 records;"
        " free some, or train on another machine"
    )
    assert train_model(store, "rooms", settings, sample=40).metrics["records"] == 40
