"""Students made by hand, and their datasets, for tests that need a model but no training."""

from __future__ import annotations

import struct

import msgspec

from db.records.dataset import Dataset
from db.records.models.model_versions import NewModel, activate_model, add_model
from db.scoring.features import features_of_word
from db.scoring.interval import Interval
from db.scoring.student_data import (
    NEWEST_FORMAT,
    Artifact,
    ChoiceInput,
    NumberInput,
    NumberPart,
    StudentData,
    TextPart,
    TreesData,
    WordPart,
    encode_student,
)
from db.spec.dataset_spec import DatasetSpec
from db.spec.field import ChoiceField, NumberField, TextField
from db.spec.section import EnricherSpec
from db.store.store import Store

from .conftest import register
from .random_trees import Node, pack_trees

SHIFT = 8
# Rents lie between 50 below and 100 above the predicted one.
INTERVAL = Interval(coverage=0.9, edges=[], below=[-50.0], above=[100.0])
ENRICHERS = {"profile": EnricherSpec(use="text_profile", reads=("sentence",))}

RENTS = DatasetSpec(
    name="rents",
    kind="regression",
    target="rent",
    fields={"area": NumberField(), "town": ChoiceField(choices=("Lyon", "Paris"))},
    id="flat",
)
TONES = DatasetSpec(
    name="tones",
    kind="classification",
    target="tone",
    fields={"sentence": TextField(), "town": ChoiceField(choices=("Lyon", "Paris"))},
    enrichers=ENRICHERS,
)


def weights(*rows: tuple[float, ...]) -> bytes:
    """Return rows of weights as a student has them."""
    return b"".join(
        struct.pack(f"<{len(row)}i", *(round(weight * 2**SHIFT) for weight in row)) for row in rows
    )


def tones() -> StudentData:
    """Return a linear student of TONES: happy words, sad words, and towns."""
    # The n-gram is shared by the words "super" and "superbe".
    words = {"ravi": (1.5, -1.5, 0.0), "triste": (-2.0, 2.0, 0.0), "<sup": (0.75, -0.25, 0.0)}
    assert "<sup" in features_of_word("superbe")
    return StudentData(
        labels=["happy", "sad", "neutral"],
        bias=[0.0, 0.0, 0.25],
        shift=SHIFT,
        parts={
            "sentence": TextPart(names=list(words), weights=weights(*words.values())),
            "town": WordPart(
                names=["Lyon", "Paris"], weights=weights((0.5, 0.0, 0.0), (0.0, 0.5, 0.0))
            ),
        },
        means={"sentence": [0.1, 0.2, 0.0], "town": [0.25, 0.25, 0.0]},
    )


def rents(*, is_teacher: bool = True, lowest: float | None = 0.0) -> StudentData:
    """Return a student of RENTS with a linear part and two trees."""
    by_area = Node(
        0.5, 0, 40.0, children=(Node(-1.0), Node(1.5, 0, 80.0, children=(Node(1.0), Node(3.0))))
    )
    by_town = Node(0.1, 1, 0.0, children=(Node(0.8), Node(-0.6)))
    # The set of codes that go left: Paris alone.
    nodes = pack_trees([by_area, by_town], sets=[bytes([1 << 2])])
    slope = NumberPart(
        mean=50.0, scale=20.0, low=10.0, high=200.0, edges=[], slopes=[0.25], weights=weights((0,))
    )
    return StudentData(
        format=NEWEST_FORMAT,
        labels=[],
        bias=[0.0],
        shift=SHIFT,
        parts={"area": slope},
        target_mean=700.0,
        target_scale=100.0,
        lowest=lowest,
        trees=TreesData(
            columns=[0],
            inputs=[
                NumberInput(name="area", low=10.0, high=200.0),
                ChoiceInput(name="town", names=["Lyon", "Paris"]),
            ],
            nodes=nodes,
        ),
        is_teacher=is_teacher,
        interval=INTERVAL,
    )


def as_teacher(data: StudentData) -> StudentData:
    """Return the student as one that is the teacher itself."""
    return msgspec.structs.replace(data, is_teacher=True)


def serve_student(store: Store, spec: DatasetSpec, data: StudentData, **metrics: object) -> Dataset:
    """Register a dataset and activate a model with this student; return the dataset."""
    dataset = register(store, spec)
    student = Artifact(*encode_student(data))
    # The web process never reads the teacher of a student that stands in for one.
    teacher = None if data.is_teacher else Artifact(b"", "")
    new = NewModel(dict(metrics), {}, student, teacher, b"")
    with store.writing() as connection:
        activate_model(connection, dataset, add_model(connection, dataset.id, new))
    return dataset
