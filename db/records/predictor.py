"""Predictions for many inputs at once, the same as `GET /predict` answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from db.errors import UnknownModel
from db.scoring.response_body import Answer, Enrichment, decode_answer, student_answer
from db.scoring.student import Student
from db.scoring.student_data import Artifact, decode_student
from db.spec.field import Inputs

from .dataset import Dataset
from .lookup import find_bodies
from .models.trained_model import active_model, model_name, read_student


@dataclass(frozen=True)
class Predictor:
    """Answers inputs by the teacher's stored predictions, and by the student where there is none.

    `is_final` if the student is the teacher and no enrichments can come, so that the store has no
    other answer.
    """

    dataset: Dataset
    model: str
    student: Student
    is_final: bool

    def answers(
        self, connection: Connection, asked: Sequence[tuple[bytes, Inputs]]
    ) -> list[Answer]:
        """Return the answers to inputs, each given with its key, in their order."""
        keys = {key for key, _ in asked}
        bodies = {} if self.is_final else find_bodies(connection, self.dataset.id, keys)
        return [
            self.student_answer(inputs) if body is None else decode_answer(body)
            for body, inputs in ((bodies.get(key), inputs) for key, inputs in asked)
        ]

    def student_answer(self, inputs: Inputs) -> Answer:
        """Return the student's answer to inputs."""
        enrichment: Enrichment = "done" if self.is_final else "off"
        return student_answer(self.dataset.spec.name, self.model, self.student, inputs, enrichment)


@dataclass(frozen=True)
class StoredPredictor:
    """A predictor as it is in the store, which can be sent to another process."""

    dataset: Dataset
    model: str
    student: Artifact

    def open(self) -> Predictor:
        """Return the predictor; raises ArtifactError if its student is damaged."""
        student = Student(decode_student(self.student.data, self.student.sha256))
        student.check(dict.fromkeys(self.dataset.spec.fields))
        is_final = student.is_teacher and not self.dataset.spec.enrichers
        return Predictor(self.dataset, self.model, student, is_final)


def open_predictor(connection: Connection, dataset: Dataset) -> Predictor:
    """Return the predictor of a dataset; raises UnknownModel or ArtifactError."""
    return read_predictor(connection, dataset).open()


def read_predictor(connection: Connection, dataset: Dataset) -> StoredPredictor:
    """Return the stored predictor of a dataset; raises UnknownModel or ArtifactError."""
    model = active_model(connection, dataset.id)
    if model is None:
        name = dataset.spec.name
        raise UnknownModel(f"{name} has no model yet; run: python -m enrich train {name}")
    return StoredPredictor(
        dataset, model_name(dataset, model.version), read_student(connection, model)
    )
