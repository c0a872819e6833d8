"""Tests of model versions: which one becomes active, and how to go back."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from msgspec import structs
from sqlalchemy import Connection, update

from db.errors import TrainingError, UnknownModel
from db.ingestion.row import NewRow
from db.ingestion.submission import add_rows
from db.records.dataset import Dataset
from db.records.models.model_versions import NewModel, add_model
from db.records.models.trained_model import active_model, all_models, read_student
from db.settings import Settings
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import NumberField
from db.spec.section import EnricherSpec
from db.store import tables
from db.store.generation import read_generation
from db.store.store import Store
from enrich.learning.training import train_model
from enrich.planning.maintenance import COVERED_AGAIN_SECONDS, training_due, use_model
from tests.conftest import Done, register
from tests.inline import enrich_now

SAMPLES = "tests.store.sample_teachers"


def spec_with(teacher: str = "default") -> DatasetSpec:
    """Return a spec of two numbers."""
    return DatasetSpec(
        name="rooms",
        kind="regression",
        target="price",
        fields={"area": NumberField(), "floor": NumberField()},
        teacher=teacher,
    )


def fill(store: Store, dataset: Dataset, rows: int, seed: int = 1, noise: float = 1.0) -> None:
    """Add rooms whose price is three times their area, and a little noise."""
    chance = random.Random(seed)
    records = []
    for _ in range(rows):
        area, floor = chance.uniform(10, 90), chance.randint(0, 9)
        inputs = dataset.spec.read_inputs({"area": area, "floor": floor})
        label = repr(3 * area + noise * chance.gauss(0, 1))
        records.append(NewRow(dataset.spec.key(inputs), inputs, label))
    with store.writing() as connection:
        add_rows(connection, dataset, records, "import")


@pytest.fixture
def rooms(store: Store) -> Dataset:
    """Return a dataset with 80 labelled records and no model."""
    found = register(store, spec_with())
    fill(store, found, 80)
    return found


def version_in_use(store: Store, dataset: Dataset) -> int | None:
    """Return the active version."""
    with store.reading() as connection:
        model = active_model(connection, dataset.id)
    return model.version if model else None


def test_the_first_model_becomes_active(store: Store, settings: Settings, rooms: Dataset) -> None:
    """Any model is better than none."""
    trained = train_model(store, "rooms", settings)
    assert trained.decision.active
    assert version_in_use(store, rooms) == 1
    assert trained.metrics["teacher"]["r2"] > 0.99


def test_a_worse_model_does_not_replace_the_active_one(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """A teacher that always predicts the mean is stored but not activated."""
    train_model(store, "rooms", settings)
    register(store, spec_with(f"{SAMPLES}.mean"))
    trained = train_model(store, "rooms", settings)
    assert not trained.decision.active
    assert "its teacher is worse" in trained.decision.reason
    assert version_in_use(store, rooms) == 1


def test_a_better_model_replaces_the_active_one(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """A real teacher replaces one that always predicts the mean."""
    register(store, spec_with(f"{SAMPLES}.mean"))
    train_model(store, "rooms", settings)
    register(store, spec_with())
    assert train_model(store, "rooms", settings).decision.active
    assert version_in_use(store, rooms) == 2


def test_force_activates_a_worse_model_and_says_so(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """The user may overrule the promotion decision."""
    train_model(store, "rooms", settings)
    register(store, spec_with(f"{SAMPLES}.mean"))
    trained = train_model(store, "rooms", settings, force=True)
    assert trained.decision.reason.startswith("forced, although its teacher is worse")
    assert version_in_use(store, rooms) == 2


def test_going_back_is_one_command(
    store: Store, settings: Settings, rooms: Dataset, command: Callable[..., Done]
) -> None:
    """The previous version is kept with everything that it needs."""
    for _ in range(2):
        train_model(store, "rooms", settings, force=True)
    assert version_in_use(store, rooms) == 2
    done = command("enrich", "activate", "rooms@1")
    assert (done.code, done.out) == (
        0,
        "rooms@1 is active; compute its predictions: python -m enrich once\n",
    )
    assert version_in_use(store, rooms) == 1
    listed = json.loads(command("enrich", "models", "rooms", "--json").out)
    in_use = {version["model"]: version["active"] for version in listed}
    assert in_use == {"rooms@2": False, "rooms@1": True}


def test_activation_raises_the_generation(store: Store, settings: Settings, rooms: Dataset) -> None:
    """Web processes learn of the new model by the generation."""
    train_model(store, "rooms", settings)
    with store.reading() as connection:
        before = read_generation(connection)
    use_model(store, rooms.name, 1, settings)
    with store.reading() as connection:
        assert read_generation(connection) > before


def test_only_the_last_two_active_and_the_newest_versions_keep_their_artifacts(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """The metrics of all versions stay; the artifacts of all versions would fill the store."""
    for _ in range(4):
        train_model(store, "rooms", settings, force=True)
    with store.reading() as connection:
        kept = {model.version: model.kept for model in all_models(connection, rooms.id)}
    assert kept == {4: True, 3: True, 2: False, 1: False}
    with pytest.raises(UnknownModel, match="train a new version"):
        use_model(store, "rooms", 1, settings)


def test_an_unknown_version_names_the_command_that_lists_versions(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """The user can then choose a version that exists."""
    with pytest.raises(UnknownModel, match="python -m enrich models rooms"):
        use_model(store, rooms.name, 7, settings)


def test_too_few_labels_are_an_error_that_says_what_to_do(store: Store, settings: Settings) -> None:
    """Nineteen labelled rows are too few."""
    fill(store, register(store, spec_with()), 19)
    with pytest.raises(TrainingError, match="python -m db import rooms FILE"):
        train_model(store, "rooms", settings)


def test_a_model_without_anything_to_learn_does_not_beat_the_baseline(
    store: Store, settings: Settings
) -> None:
    """The price depends on neither of the two numbers."""
    found = register(store, spec_with())
    fill(store, found, 200, noise=1e6)
    trained = train_model(store, "rooms", settings)
    assert not trained.metrics["beats_baseline"]


def test_training_is_due_when_labels_have_grown_by_a_tenth(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """Training is not due with one label fewer."""
    train_model(store, "rooms", settings)
    due = []
    for more, seed in ((7, 2), (1, 3)):
        fill(store, rooms, more, seed)
        with store.reading() as connection:
            due.append(training_due(connection, rooms, settings))
    assert due == ["", "labels have grown to 88"]


def test_training_is_due_when_an_enricher_that_the_teacher_reads_is_removed(
    store: Store, settings: Settings
) -> None:
    """Without the enricher's values there can be no predictions."""
    area = EnricherSpec(use="tests.store.sample_enrichers.Area", reads=("area",))
    own = structs.replace(spec_with(f"{SAMPLES}.mean"), enrichers={"double": area})
    found = register(store, own)
    fill(store, found, 80)
    enrich_now(store, settings)
    assert list(train_model(store, "rooms", settings).metrics["covering"]) == ["double"]
    found = register(store, spec_with())
    with store.reading() as connection:
        due = training_due(connection, found, settings)
    assert due == "the teacher reads double, which the spec no longer names"


def test_rows_that_keep_coming_do_not_have_a_model_trained_again_and_again(
    store: Store, settings: Settings
) -> None:
    """Each new row lacks the enricher for a moment; that it is covered again is no news."""
    area = EnricherSpec(use="tests.store.sample_enrichers.Area", reads=("area",))
    own = structs.replace(spec_with(f"{SAMPLES}.mean"), enrichers={"double": area})
    found = register(store, own)

    def due() -> str:
        with store.reading() as connection:
            return training_due(connection, found, settings)

    fill(store, found, 80)
    train_model(store, "rooms", settings)
    enrich_now(store, settings)
    assert due() == "double covers all labelled records"
    train_model(store, "rooms", settings)
    fill(store, found, 2, seed=2)
    train_model(store, "rooms", settings)
    enrich_now(store, settings)
    assert due() == ""
    with store.writing() as connection:
        hour = COVERED_AGAIN_SECONDS
        connection.execute(update(tables.model).values(made_at=tables.model.c.made_at - hour))
    assert due() == "double covers all labelled records"


def test_two_trainings_that_end_at_once_both_store_their_version(
    store: Store, settings: Settings, rooms: Dataset
) -> None:
    """Each changes rows of the other: neither waits for ever, nor is ended by the store."""
    train_model(store, rooms.name, settings)
    version = partial(use_model, store, rooms.name, 1, settings)
    with ThreadPoolExecutor(4) as threads:
        done: list[Future[object]] = [threads.submit(version) for _ in range(20)]
        done += [threads.submit(store.write, partial(copy_model, dataset=rooms)) for _ in range(20)]
    assert not [one.exception() for one in done if one.exception()]
    with store.reading() as connection:
        versions = [model.version for model in all_models(connection, rooms.id)]
    assert sorted(versions) == list(range(1, 22))


def copy_model(connection: Connection, dataset: Dataset) -> int:
    """Add the active model again, as a training does."""
    model = active_model(connection, dataset.id)
    assert model is not None
    student = read_student(connection, model)
    new = NewModel(model.metrics, model.reads, student, None, b"")
    return add_model(connection, dataset.id, new)
