"""Tests of the catalog of a web process: a fault of one dataset leaves the others as they are."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import update

from db.records.dataset import Dataset
from db.scoring.student_data import Artifact, encode_student
from db.settings import Settings
from db.spec.field import Inputs
from db.store import tables
from db.store.generation import raise_generation
from db.store.store import Store
from serve.prediction.catalog import Catalog, load_catalog
from tests.hand_made_student import RENTS, TONES, rents, serve_student, tones

AREA: Inputs = {"area": 50.0, "town": "Lyon"}


@pytest.fixture
def datasets(store: Store) -> dict[str, Dataset]:
    """Return two datasets with students."""
    return {
        "rents": serve_student(store, RENTS, rents()),
        "tones": serve_student(store, TONES, tones()),
    }


def load(store: Store, settings: Settings, before: Catalog | None = None) -> Catalog:
    """Return the catalog as the store is now."""
    with store.reading() as connection:
        return load_catalog(connection, before, settings)


def change(store: Store, dataset: Dataset, *, spec: str = "", **model: object) -> None:
    """Change what is stored of a dataset's spec or model, and raise the generation."""
    with store.writing() as connection:
        if spec:
            of_dataset = tables.dataset.c.id == dataset.id
            connection.execute(update(tables.dataset).where(of_dataset).values(spec=spec))
        if model:
            of_model = tables.model.c.dataset_id == dataset.id
            connection.execute(update(tables.model).where(of_model).values(**model))
        raise_generation(connection)


def change_student(store: Store, dataset: Dataset, student: Artifact) -> None:
    """Put other bytes in the place of a dataset's student, with their own SHA-256."""
    change(store, dataset, student=student.data, student_sha256=student.sha256)


def packed(data: bytes) -> Artifact:
    """Return data as a student whose SHA-256 is right."""
    compressed = zlib.compress(data, 9)
    return Artifact(compressed, hashlib.sha256(compressed).hexdigest())


def cut(data: bytes) -> Artifact:
    """Return a student of which the weights of a text are one byte short."""
    tree = msgspec.msgpack.decode(data)
    tree["parts"]["sentence"]["weights"] = tree["parts"]["sentence"]["weights"][:-1]
    return packed(msgspec.msgpack.encode(tree))


DAMAGED: dict[str, Callable[[], Artifact]] = {
    "lengths": lambda: cut(zlib.decompress(encode_student(tones())[0])),
    "nothing": lambda: packed(b""),
    "zeros": lambda: packed(b"\0" * 2**24),
    "lists": lambda: packed(b"\x81\xa5parts\x81\xa1a" + b"\xdd\0\x0f\xff\xff" * 2**20),
    "another dataset's": lambda: Artifact(*encode_student(rents())),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_student_that_cannot_be_used_leaves_the_other_datasets_as_they_are(
    store: Store, settings: Settings, datasets: dict[str, Dataset], kind: str
) -> None:
    """In a process that runs, and in one that starts; the fault names the model."""
    running = load(store, settings)
    change_student(store, datasets["tones"], DAMAGED[kind]())
    for before in (running, None):
        catalog = load(store, settings, before)
        assert catalog.generation > running.generation
        assert catalog.find("rents").require_student().outputs(AREA)
        assert catalog.find("tones").student is None
        [fault] = catalog.faults
        assert (fault.dataset, fault.subject) == ("tones", "student")
        assert fault.reason.startswith("tones@1: the student ")


@pytest.mark.parametrize("column", ["metrics", "reads"])
def test_a_model_that_cannot_be_read_leaves_the_other_datasets_as_they_are(
    store: Store, settings: Settings, datasets: dict[str, Dataset], column: str
) -> None:
    """Its columns hold JSON, of which a half may be missing."""
    running = load(store, settings)
    change(store, datasets["tones"], **{column: '{"half'})
    for before in (running, None):
        catalog = load(store, settings, before)
        assert catalog.find("rents").student is not None
        [fault] = catalog.faults
        assert fault.reason.startswith("tones: its model cannot be read: ")


def test_a_damaged_spec_leaves_a_running_process_with_the_one_it_knows(
    store: Store, settings: Settings, datasets: dict[str, Dataset]
) -> None:
    """Everything else goes on at the new generation; a process that starts leaves it out."""
    running = load(store, settings)
    change(store, datasets["tones"], spec='{"name": "tones"')
    catalog = load(store, settings, running)
    assert catalog.generation > running.generation
    assert catalog.find("tones") == running.find("tones")
    assert [(fault.dataset, fault.subject) for fault in catalog.faults] == [("tones", "spec")]
    started = load(store, settings)
    assert [*started.datasets] == ["rents"]
    assert [fault.dataset for fault in started.faults] == ["tones"]


def test_a_spec_of_newer_code_is_served_without_what_is_new(
    store: Store, settings: Settings, datasets: dict[str, Dataset]
) -> None:
    """After a rollback the earlier code reads what the newer one has written."""
    newer = msgspec.json.decode(msgspec.json.encode(TONES))
    newer["new"] = newer["fields"]["sentence"]["new"] = newer["enrichers"]["profile"]["new"] = [1]
    change(store, datasets["tones"], spec=msgspec.json.encode(newer).decode())
    catalog = load(store, settings)
    assert catalog.find("tones").spec == TONES
    assert not catalog.faults
